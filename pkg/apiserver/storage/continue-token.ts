import { jsonErrorText } from '../../apimachinery/json-error.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';

/** Where a list that was cut goes on, as upstream writes it into `metadata.continue`. */
export interface ContinueToken {
  /** The revision of the first page; CURRENT: whatever is newest, for a list that gives up being consistent. */
  readonly revision: number;
  /** The last key of the page before, without the prefix of the list. */
  readonly start: string;
}

/** The revision of a token that goes on with the newest state. */
export const CURRENT = -1;

const VERSION = 'meta.k8s.io/v1';

export function encodeContinue({ revision, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: VERSION, rv: revision, start })).toString('base64url');
}

/** Throws BadRequest with upstream's words for a token that was not made by `encodeContinue`. */
export function decodeContinue(text: string): ContinueToken {
  const refuse = (why: string): Error =>
    statusErrors.badRequest(`invalid continue token: continue key is not valid: ${why}`);
  const strange = text.search(/[^A-Za-z0-9_-]/);
  if (strange >= 0) throw refuse(`illegal base64 data at input byte ${strange}`);
  if (text.length % 4 === 1) throw refuse(`illegal base64 data at input byte ${text.length - 1}`);
  let token: unknown;
  const json = Buffer.from(text, 'base64url').toString('utf8');
  try {
    token = JSON.parse(json);
  } catch {
    throw refuse(jsonErrorText(json));
  }
  const { v, rv, start } = (token ?? {}) as { v?: unknown; rv?: unknown; start?: unknown };
  if (v !== VERSION) throw refuse(`server does not recognize this encoded version ${String(v ?? '')}`);
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0 || rv < CURRENT) {
    throw refuse(`incorrect encoded start resourceVersion (version ${VERSION})`);
  }
  if (typeof start !== 'string' || start === '') throw refuse(`encoded start key empty (version ${VERSION})`);
  if (start.startsWith('/') || start.split('/').includes('..')) throw refuse(start);
  return { revision: rv, start };
}
