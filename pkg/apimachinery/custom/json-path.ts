/** The part of kubectl's JSONPath that printer columns and selectable fields use. */
import type { Json } from '../../api/schema.ts';
import { getKey, isJsonObject } from '../json.ts';

type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly index: number }
  | { readonly type: 'all' }
  | { readonly type: 'filter'; readonly path: JsonPath; readonly operator: string; readonly value: Json | undefined };

/** A parsed path: `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.metadata.labels['a\.b']`. */
export type JsonPath = readonly Step[];

const FIELD = /^\.?((?:[^.[\]'"\\]|\\.)+)/;
const QUOTED = /^\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/;
const INDEX = /^\[(-?\d+)\]/;
const ALL = /^(?:\[\*\]|\.\*)/;
const FILTER = /^\[\?\(\s*@((?:[^=!<>)"']|\[[^\]]*\])*?)\s*(?:(==|!=|<=|>=|<|>)\s*("[^"]*"|'[^']*'|[^)\s]+)\s*)?\)\]/;

/** Parses a path that begins with a dot or a bracket. Throws an Error when it is malformed. */
export function parseJsonPath(text: string): JsonPath {
  const steps: Step[] = [];
  let rest = text;
  while (rest !== '') {
    const [step, length] = nextStep(rest);
    steps.push(step);
    rest = rest.slice(length);
  }
  return steps;
}

function nextStep(rest: string): [Step, number] {
  const all = ALL.exec(rest);
  if (all !== null) return [{ type: 'all' }, all[0].length];
  const index = INDEX.exec(rest);
  if (index !== null) return [{ type: 'index', index: Number(index[1]) }, index[0].length];
  const quoted = QUOTED.exec(rest);
  if (quoted !== null) return [{ type: 'field', name: unescaped(quoted[1] ?? quoted[2] ?? '') }, quoted[0].length];
  const filter = FILTER.exec(rest);
  if (filter !== null) {
    const [whole, path = '', operator = 'exists', literal] = filter;
    const value = literal === undefined ? undefined : literalOf(literal);
    return [{ type: 'filter', path: parseJsonPath(path.trim()), operator, value }, whole.length];
  }
  const field = rest.startsWith('[') ? null : FIELD.exec(rest);
  if (field === null) throw new Error(`not a JSON path: ${rest}`);
  return [{ type: 'field', name: unescaped(field[1] ?? '') }, field[0].length];
}

const unescaped = (text: string): string => text.replace(/\\(.)/g, '$1');

function literalOf(text: string): Json {
  if (/^["']/.test(text)) return text.slice(1, -1);
  try {
    return JSON.parse(text) as Json;
  } catch {
    // A bare word stands for itself.
    return text;
  }
}

/** The values at `path`. */
export function findAll(value: Json | undefined, path: JsonPath): Json[] {
  let found: Json[] = value === undefined ? [] : [value];
  for (const step of path) found = found.flatMap((each) => take(each, step));
  return found;
}

function take(value: Json, step: Step): Json[] {
  switch (step.type) {
    case 'field': {
      const item = isJsonObject(value) ? getKey(value, step.name) : undefined;
      return item === undefined ? [] : [item];
    }
    case 'index': {
      const item = Array.isArray(value) ? value.at(step.index) : undefined;
      return item === undefined ? [] : [item];
    }
    case 'all':
      return itemsOf(value);
    case 'filter':
      return itemsOf(value).filter((item) => meets(findAll(item, step.path)[0], step.operator, step.value));
  }
}

function itemsOf(value: Json): Json[] {
  if (Array.isArray(value)) return value;
  return isJsonObject(value) ? Object.values(value).filter((item) => item !== undefined) : [];
}

function meets(found: Json | undefined, operator: string, value: Json | undefined): boolean {
  if (found === undefined) return false;
  if (operator === 'exists') return true;
  if (operator === '==') return found === value;
  if (operator === '!=') return found !== value;
  if (value === undefined || typeof found !== typeof value || found === null || value === null) return false;
  if (operator === '<') return found < value;
  if (operator === '<=') return found <= value;
  if (operator === '>') return found > value;
  return found >= value;
}

/** The names of a path that consists of fields only; undefined for others. */
export function fieldNames(path: JsonPath): string[] | undefined {
  const names = path.map((step) => (step.type === 'field' ? step.name : undefined));
  return names.every((name) => name !== undefined) ? (names as string[]) : undefined;
}
