import { statusErrors } from '../apimachinery/status-error.ts';

/** What a URL and a method ask for: upstream's RequestInfo, the input of authorization and of routing. */
export interface RequestInfo {
  readonly isResource: boolean;
  readonly path: string;
  /** For resources: get, list, watch, create, update, patch, delete, deletecollection; else the method in lower case. */
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** What follows the subresource: the path behind `proxy`. */
  readonly rest: readonly string[];
  /** The deprecated `/api/v1/watch/…` form. */
  readonly watchPrefix: boolean;
}

/** Subresources of the namespace itself: below `/namespaces/x/` these are not resources. */
const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(['status', 'finalize']);

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Parses a request line; `path` is the URL's path as it came. Throws BadRequest when that is malformed. */
export function parseRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const other: RequestInfo = {
    isResource: false,
    path,
    verb: method.toLowerCase(),
    group: '',
    version: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    rest: [],
    watchPrefix: false,
  };
  const parts = decodedParts(path);
  const [root] = parts;
  let at = 1;
  let group = '';
  if (root === 'apis') group = parts[at++] ?? '';
  else if (root !== 'api') return other;
  const version = parts[at++] ?? '';
  if (version === '' || parts.length <= at) return { ...other, group, version };
  let verb = VERBS[method] ?? method.toLowerCase();
  let watchPrefix = false;
  if (parts[at] === 'watch' && parts.length > at + 1) {
    watchPrefix = true;
    at++;
  }
  let namespace = '';
  let tail = parts.slice(at);
  if (tail[0] === 'namespaces' && tail.length > 1) {
    namespace = tail[1] ?? '';
    if (tail.length > 2 && !NAMESPACE_SUBRESOURCES.has(tail[2] ?? '')) tail = tail.slice(2);
  }
  const [resource = '', name = '', subresource = '', ...rest] = tail;
  if (watchPrefix) verb = 'watch';
  else if (name === '' && verb === 'get') verb = isTrue(query.get('watch')) ? 'watch' : 'list';
  else if (name === '' && verb === 'delete') verb = 'deletecollection';
  const watchOne = name === '' && (verb === 'list' || verb === 'watch') ? selectedName(query) : '';
  return {
    isResource: true,
    path,
    verb,
    group,
    version,
    namespace,
    resource,
    subresource,
    name: name || watchOne,
    rest,
    watchPrefix,
  };
}

const LONG_RUNNING: ReadonlySet<string> = new Set(['attach', 'exec', 'log', 'portforward', 'proxy']);

/** Whether the answer may go on for as long as the client likes: no time limit is set to it. */
export function isLongRunning({ verb, subresource }: Pick<RequestInfo, 'verb' | 'subresource'>): boolean {
  return verb === 'watch' || LONG_RUNNING.has(subresource);
}

/** How upstream reads flags in queries: what is there and neither `0` nor `false` is true, even nothing (`?watch`). */
export function isTrue(text: string | null): boolean {
  return text !== null && text !== '0' && text.toLowerCase() !== 'false';
}

/** A list narrowed to one name is authorized as that name. */
function selectedName(query: URLSearchParams): string {
  const match = /(?:^|,)metadata\.name==?([^,=!]+)(?:,|$)/.exec(query.get('fieldSelector') ?? '');
  return match?.[1] ?? '';
}

function decodedParts(path: string): string[] {
  try {
    const parts = path.split('/').filter((part) => part !== '');
    return path.includes('%') ? parts.map(decodeURIComponent) : parts;
  } catch {
    throw statusErrors.badRequest(`invalid URL escape in ${JSON.stringify(path)}`);
  }
}
