import { statusErrors } from '../../apimachinery/status-error.ts';

export const JSON_TYPE = 'application/json';
export const YAML_TYPE = 'application/yaml';
export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

export type MediaType = typeof JSON_TYPE | typeof YAML_TYPE | typeof PROTOBUF_TYPE;

/** What bodies and answers of built-in kinds may be; upstream lists them in this order. */
export const MEDIA_TYPES: readonly MediaType[] = [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE];

/** What watches are written in. */
export const STREAM_TYPES: readonly string[] = [`${JSON_TYPE};stream=watch`, `${PROTOBUF_TYPE};stream=watch`];

/** What objects are turned into on a client's wish, in the version of meta.k8s.io it asked for. */
export interface Transform {
  readonly kind: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';
  readonly apiVersion: string;
}

/** The representation an answer takes. */
export interface Representation {
  readonly mediaType: MediaType;
  /** Undefined: the object itself. */
  readonly as: Transform | undefined;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** What collections are answered in, be they listed or watched. */
export const COLLECTION_TYPES: readonly string[] = [...MEDIA_TYPES, ...STREAM_TYPES];

/** Parses an Accept header into its ranges, best first: those that name a type before others, equal ones in order. */
export function parseAccept(header: string): MediaRange[] {
  return header
    .split(',')
    .map((part) => {
      const [type = '', ...pairs] = part.split(';').map((piece) => piece.trim());
      const parameters = new Map(pairs.map((pair) => pair.split('=', 2) as [string, string]));
      return { type, parameters, quality: Number(parameters.get('q') ?? 1) || 0 };
    })
    .filter((range) => range.type !== '')
    .sort((a, b) => b.quality - a.quality || wildness(a.type) - wildness(b.type));
}

const wildness = (type: string): number => type.split('*').length;

/**
 * Refuses a request whose Accept header names none of what the path produces, as it is. Upstream's router does so before
 * anybody looks at what is asked of the types. Throws NotAcceptable.
 */
export function requireProduced(accept: string | undefined, produced: readonly string[]): void {
  const isThere = rangesOf(accept).some(({ type }) => type === '*/*' || produced.includes(type));
  if (!isThere) throw statusErrors.notAcceptable(produced);
}

/**
 * Chooses the representation of an object, a list or a watch. Custom resources have no protobuf form of their own, only
 * their metadata has; what is answered and not stored has no `tables`. Throws NotAcceptable with what there is.
 */
export function negotiate(accept: string | undefined, custom: boolean, tables = true): Representation {
  for (const range of rangesOf(accept)) {
    const mediaType = concreteType(range.type);
    if (mediaType === undefined) continue;
    const as = transformOf(range);
    if (as === 'unknown' || (as?.kind === 'Table' && !tables)) continue;
    // Tables are not defined in protobuf.
    if (mediaType === PROTOBUF_TYPE && (as === undefined ? custom : as.kind === 'Table')) continue;
    return { mediaType, as };
  }
  throw statusErrors.notAcceptableTransform(onlyAccepted(MEDIA_TYPES));
}

/** Like `negotiate`, for watches: YAML has no stream form. */
export function negotiateStream(accept: string | undefined, custom: boolean): Representation {
  const representation = negotiate(accept, custom);
  if (representation.mediaType === YAML_TYPE) throw statusErrors.notAcceptableTransform(onlyAccepted(STREAM_TYPES));
  return representation;
}

/** The media type of a document that is never transformed (a Status, discovery); undefined when none is acceptable. */
export function negotiatePlain(accept: string | undefined): MediaType | undefined {
  const plain = rangesOf(accept).filter(({ parameters }) => !parameters.has('as'));
  return plain.map(({ type }) => concreteType(type)).find((type) => type !== undefined);
}

/** Clients send the same few headers again and again; more than this many different ones are not remembered. */
const REMEMBERED = 100;
const REMEMBERED_LENGTH = 300;
const remembered = new Map<string, readonly MediaRange[]>();

function rangesOf(accept = ''): readonly MediaRange[] {
  const known = remembered.get(accept);
  if (known !== undefined) return known;
  const ranges = parseAccept(accept || '*/*');
  if (remembered.size < REMEMBERED && accept.length <= REMEMBERED_LENGTH) remembered.set(accept, ranges);
  return ranges;
}

/** The refusal of what is asked of the types, not of the types. */
export function onlyAccepted(types: readonly string[]): string {
  return `only the following media types are accepted: ${types.join(', ')}`;
}

function transformOf({ parameters }: MediaRange): Transform | undefined | 'unknown' {
  const kind = parameters.get('as');
  if (kind === undefined) return undefined;
  const version = parameters.get('v');
  if (parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return 'unknown';
  if (kind !== 'Table' && kind !== 'PartialObjectMetadata' && kind !== 'PartialObjectMetadataList') return 'unknown';
  return { kind, apiVersion: `meta.k8s.io/${version}` };
}

function concreteType(type: string): MediaType | undefined {
  if (type === '*/*' || type === 'application/*') return JSON_TYPE;
  return MEDIA_TYPES.find((known) => known === type);
}
