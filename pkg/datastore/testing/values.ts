import type { TestContext } from 'node:test';

export type Hooks = Pick<TestContext, 'after'>;

/** UTF-8 of `text`. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Text of UTF-8. */
export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value);
