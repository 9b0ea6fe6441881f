/** A recorded scenario, as far as the tests look into it. */
export type Value = null | boolean | number | string | Value[] | { [key: string]: Value | undefined };
export type Fields = { [key: string]: Value | undefined };

export interface Step {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  shape?: boolean;
  ignore?: string[];
  sortBy?: Record<string, string>;
  expect?: { status: number; headers?: Fields; body?: Value };
}

export interface Scenario {
  readonly name: string;
  readonly controllers: 'on' | 'off' | 'any';
  readonly steps: Step[];
}

export function isFields(value: Value | undefined): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
