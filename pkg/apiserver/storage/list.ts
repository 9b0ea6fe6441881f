import { fieldError } from '../../apimachinery/field-error.ts';
import { StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { CompactedError } from '../../datastore/datastore.ts';
import { type ContinueToken, CURRENT, decodeContinue, encodeContinue } from './continue-token.ts';
import type { ResourceCache } from './resource-cache.ts';
import type { Selection } from './selection.ts';
import type { Store } from './store.ts';
import { StoredObject } from './stored-object.ts';

/** Which part of a collection, as of when. */
export interface ListRequest {
  /** Only keys that start with this. */
  readonly prefix: string;
  readonly selection: Selection;
  /** The key of the one object that can match, where that is known. */
  readonly onlyKey?: string | undefined;
  /** 0 and less: everything. */
  readonly limit: number;
  readonly continueToken?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
}

export interface ListPage {
  readonly items: readonly StoredObject[];
  readonly revision: number;
  /** Set when there is more. */
  readonly continue?: string;
  /** How much more; known when nothing is selected. */
  readonly remaining?: number;
}

/** Keys read at once from the past to find those that are selected. */
const CHUNK = 1000;

const TOO_OLD = 'The resourceVersion for the provided list is too old.';
const INCONSISTENT =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

/** The revision a resourceVersion names; throws when it is malformed. */
export function parseVersion(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const why = `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  const error = fieldError.invalid('resourceVersion', text, why);
  throw statusErrors.unclassified(`${error.field}: ${error.body}`);
}

/** The same of a version that has to be there already; throws when it lies in the future. */
export function checkVersion(text: string | undefined, store: Store): number | undefined {
  const version = parseVersion(text);
  const current = store.revision;
  if (version !== undefined && version > current) throw statusErrors.tooLargeResourceVersion(version, current);
  return version;
}

/**
 * One page of a list, with upstream's meaning of resourceVersion, its match, limit and continue. The present is read
 * from memory, the past from the datastore; all pages of a list are of the revision of the first.
 */
export async function readPage(store: Store, cache: ResourceCache, request: ListRequest): Promise<ListPage> {
  const version = checkVersion(request.resourceVersion, store);
  if (request.continueToken !== undefined && version !== undefined && version !== 0) {
    throw statusErrors.badRequest('specifying resource version is not allowed when using continue');
  }
  const token = request.continueToken === undefined ? undefined : decodeContinue(request.continueToken);
  const revision = revisionOf(request, version, token) ?? store.revision;
  if (revision > store.revision) throw statusErrors.tooLargeResourceVersion(revision, store.revision);
  // Upstream answers "any version" from its cache, which has no pages.
  const limit = version === 0 && token === undefined ? 0 : Math.max(request.limit, 0);
  const after = token === undefined ? '' : request.prefix + token.start;
  const isPresent = cache.lastRevision <= revision;
  const found = isPresent
    ? readPresent(cache, request, after, limit)
    : await readPast(store, request, after, limit, revision, token);
  const { matching, more } = found;
  const items = limit > 0 ? matching.slice(0, limit) : matching;
  const last = items.at(-1);
  if (!more || last === undefined) return { items, revision };
  return {
    items,
    revision,
    continue: encodeContinue({ revision, start: last.key.slice(request.prefix.length) }),
    ...(request.selection.isEverything ? { remaining: found.count - items.length } : {}),
  };
}

/** The revision that is asked for; undefined: the newest. */
function revisionOf(
  { limit, resourceVersionMatch }: ListRequest,
  version: number | undefined,
  token: ContinueToken | undefined,
): number | undefined {
  if (token !== undefined) return token.revision === CURRENT ? undefined : token.revision;
  if (version === undefined || version === 0) return undefined;
  const isExact = resourceVersionMatch === 'Exact' || (resourceVersionMatch === undefined && limit > 0);
  return isExact ? version : undefined;
}

interface Found {
  /** What matches, at least one more than the limit if there is more. */
  readonly matching: readonly StoredObject[];
  readonly more: boolean;
  /** How many keys there are from where the page begins. */
  readonly count: number;
}

function readPresent(cache: ResourceCache, request: ListRequest, after: string, limit: number): Found {
  const { onlyKey, prefix, selection } = request;
  const enough = limit > 0 ? limit + 1 : Number.POSITIVE_INFINITY;
  if (onlyKey === undefined && selection.isEverything) {
    const matching = cache.list(prefix, after, enough);
    return { matching, more: matching.length === enough, count: cache.count(prefix, after) };
  }
  let all: readonly StoredObject[];
  if (onlyKey === undefined) {
    all = cache.list(prefix, after);
  } else {
    const one = onlyKey > after ? cache.get(onlyKey) : undefined;
    all = one === undefined ? [] : [one];
  }
  const matching: StoredObject[] = [];
  for (const stored of all) {
    if (matching.length === enough) break;
    if (selection.matches(stored)) matching.push(stored);
  }
  return { matching, more: matching.length === enough, count: all.length };
}

async function readPast(
  store: Store,
  { prefix, selection }: ListRequest,
  after: string,
  limit: number,
  revision: number,
  token: ContinueToken | undefined,
): Promise<Found> {
  const matching: StoredObject[] = [];
  let cursor = after;
  let count: number | undefined;
  for (;;) {
    // A whole list is read at once: nothing can be compacted away in the middle of it.
    const some = limit === 0 ? {} : { limit: selection.isEverything ? limit + 1 : Math.max(limit + 1, CHUNK) };
    const at = { revision, ...some, ...(cursor !== '' && { after: cursor }) };
    const page = await store.datastore.list(prefix, at).catch((error: unknown) => {
      throw error instanceof CompactedError ? tooOld(token) : error;
    });
    count ??= page.count;
    for (const kv of page.kvs) {
      const stored = new StoredObject(kv);
      if (selection.matches(stored)) matching.push(stored);
    }
    if (limit > 0 && matching.length > limit) return { matching, more: true, count };
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { matching, more: false, count };
    cursor = last.key;
  }
}

/** 410; who was in the middle of a list gets a token with which he can go on, if not consistently. */
function tooOld(token: ContinueToken | undefined): StatusError {
  if (token === undefined) return statusErrors.expired(TOO_OLD);
  const metadata = { continue: encodeContinue({ ...token, revision: CURRENT }) };
  return new StatusError({ ...statusErrors.expired(INCONSISTENT).status, metadata });
}
