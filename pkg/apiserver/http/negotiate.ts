import { statusErrors } from '../../apimachinery/status-error.ts';

export const JSON_TYPE = 'application/json';
export const YAML_TYPE = 'application/yaml';
export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

/** What bodies and answers of built-in kinds may be; upstream lists them in this order. */
export const MEDIA_TYPES: readonly string[] = [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE];

/** The representation an answer takes. */
export interface Representation {
  readonly mediaType: typeof JSON_TYPE | typeof YAML_TYPE;
  /** What the object is turned into: a Table, its metadata only, or (undefined) itself. */
  readonly as: 'Table' | 'PartialObjectMetadata' | undefined;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

/** Parses an Accept header into its ranges, best first; equal ones stay in order. */
export function parseAccept(header: string): MediaRange[] {
  return header
    .split(',')
    .map((part) => {
      const [type = '', ...pairs] = part.split(';').map((piece) => piece.trim());
      const parameters = new Map(pairs.map((pair) => pair.split('=', 2) as [string, string]));
      return { type: type.toLowerCase(), parameters, quality: Number(parameters.get('q') ?? 1) };
    })
    .filter((range) => range.type !== '' && range.quality > 0)
    .sort((a, b) => b.quality - a.quality);
}

/** Chooses the representation of an object or a list; throws NotAcceptable with what there is. */
export function negotiate(accept: string | undefined): Representation {
  const ranges = parseAccept(accept ?? '*/*');
  if (ranges.length === 0) return { mediaType: JSON_TYPE, as: undefined };
  for (const range of ranges) {
    const mediaType = concreteType(range.type);
    if (mediaType === undefined) continue;
    const as = range.parameters.get('as');
    if (as === undefined) return { mediaType, as: undefined };
    if (range.parameters.get('g') !== 'meta.k8s.io' || range.parameters.get('v') !== 'v1') continue;
    if (as === 'Table') return { mediaType, as: 'Table' };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') {
      return { mediaType, as: 'PartialObjectMetadata' };
    }
  }
  throw statusErrors.notAcceptable([JSON_TYPE, YAML_TYPE]);
}

function concreteType(type: string): Representation['mediaType'] | undefined {
  if (type === JSON_TYPE || type === '*/*' || type === 'application/*') return JSON_TYPE;
  return type === YAML_TYPE || type === 'application/x-yaml' ? YAML_TYPE : undefined;
}
