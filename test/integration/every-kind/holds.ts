import assert from 'node:assert/strict';
import type { Json, JsonObject } from '../../../pkg/api/schema.ts';

/** That all of `part` is found in `whole`, the items of a list anywhere in the list. */
export function assertHolds(whole: Json | undefined, part: Json): void {
  assert.ok(holds(whole, part), `${JSON.stringify(whole)} holds ${JSON.stringify(part)}`);
}

function holds(whole: Json | undefined, part: Json): boolean {
  if (typeof part !== 'object' || part === null || typeof whole !== 'object' || whole === null) return whole === part;
  if (Array.isArray(part)) return Array.isArray(whole) && part.every((item) => whole.some((each) => holds(each, item)));
  return Object.entries(part).every(([key, value]) => value === undefined || holds((whole as JsonObject)[key], value));
}
