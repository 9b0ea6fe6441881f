import { schemaOf, typeNames } from '../../api/facts.ts';
import type { Json, JsonObject, StructSchema } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { apiVersionOf } from '../../api/types.ts';
import { append } from '../../apimachinery/append.ts';
import { canonicalize } from '../../apimachinery/canonical.ts';
import {
  cannotHandle,
  type Decoded,
  DecodeError,
  decodeObject as decodeAlong,
  decodeCustomObject,
  strictDecodingText,
} from '../../apimachinery/decode.ts';
import { applyDefaults } from '../../apimachinery/defaults.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { isJsonObject } from '../../apimachinery/json.ts';
import { inDocumentOrder, type ParsedJson, parseJson } from '../../apimachinery/json-text.ts';
import { decodeProtobuf, type Envelope, openEnvelope } from '../../apimachinery/protobuf/envelope.ts';
import { WireError } from '../../apimachinery/protobuf/wire.ts';
import { StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import { asStrictErrors, parseYamlBytes } from '../../apimachinery/yaml.ts';
import { type Descriptor, factsGroup } from '../../registry/descriptor.ts';
import type { Exchange, Request } from './exchange.ts';
import { JSON_TYPE, MEDIA_TYPES, PROTOBUF_TYPE, YAML_TYPE } from './negotiate.ts';
import type { FieldValidation } from './request-options.ts';

/** The media type of a request's body without its parameters; JSON when none is named. */
export function mediaTypeOf(request: Request): string {
  const header = request.headers['content-type'] ?? '';
  return header.split(';')[0]?.trim().toLowerCase() || JSON_TYPE;
}

/** The object a body holds: parsed, of the right kind, along the schema, defaulted. */
export function decodeObject(
  exchange: Exchange,
  descriptor: Descriptor,
  body: Buffer,
  validation: FieldValidation,
): KubeObject {
  const { document, parsed } = decodeDocument(exchange, descriptor, body);
  const object = typedObject(exchange, descriptor, document, validation, parsed);
  exchange.audit?.request(object as unknown as JsonObject);
  return object;
}

/** What reading a text found of its keys, beside its value. */
type Keys = Pick<ParsedJson, 'duplicates' | 'positions'>;
const NO_KEYS: Keys = { duplicates: [] };

/** The document a body holds, which must be of the descriptor's kind; no field is looked at yet. */
export function decodeDocument(
  exchange: Exchange,
  descriptor: Descriptor,
  body: Buffer,
): { readonly document: JsonObject; readonly parsed: Keys } {
  const mediaType = mediaTypeOf(exchange.request);
  const kind = descriptor.type.kind;
  const unrecognized = (message: string): Error =>
    statusErrors.badRequest(`the object provided is unrecognized (must be of type ${kind}): ${message}`);
  let parsed: ParsedJson;
  if (mediaType === PROTOBUF_TYPE && !descriptor.custom) {
    return { document: decodeBinary(descriptor, body, unrecognized), parsed: NO_KEYS };
  }
  if (mediaType === JSON_TYPE) {
    try {
      parsed = parseJson(body.toString('utf8'));
    } catch (error) {
      throw unrecognized(`couldn't get version/kind; json parse error: ${jsonErrorText(error)} (${excerpt(body)})`);
    }
  } else if (mediaType === YAML_TYPE) {
    try {
      parsed = parseYamlBytes(body);
    } catch (error) {
      throw unrecognized(`${error instanceof Error ? error.message : String(error)} (${excerpt(body)})`);
    }
  } else {
    throw statusErrors.unsupportedMediaType(descriptor.custom ? [JSON_TYPE, YAML_TYPE] : MEDIA_TYPES);
  }
  const document = parsed.value;
  if (document === null && descriptor.custom) {
    throw unrecognized(`Object 'Kind' is missing in '${body.toString('utf8')}' (${excerpt(body)})`);
  }
  if (!isJsonObject(document)) {
    const what = Array.isArray(document) ? 'array' : typeof document;
    throw unrecognized(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${what} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (${excerpt(body)})`,
    );
  }
  for (const name of ['apiVersion', 'kind']) {
    const given = document[name] ?? '';
    if (typeof given === 'string') continue;
    const what = Array.isArray(given) ? 'array' : typeof given === 'boolean' ? 'bool' : typeof given;
    const text = `json: cannot unmarshal ${what} into Go struct field .${name} of type string`;
    throw unrecognized(`couldn't get version/kind; json parse error: ${text} (${excerpt(body)})`);
  }
  checkKind(document, descriptor);
  return { document, parsed };
}

/** The document of a protobuf body. Fields it does not know are skipped whatever the validation, as upstream does. */
function decodeBinary(descriptor: Descriptor, body: Buffer, unrecognized: (message: string) => Error): JsonObject {
  let envelope: Envelope;
  try {
    envelope = openEnvelope(body);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw unrecognized(`${error.message} (${excerpt(body)})`);
  }
  checkKind({ kind: envelope.kind, apiVersion: envelope.apiVersion }, descriptor);
  try {
    return decodeProtobuf(envelope, descriptor.schema);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw cannotHandle(descriptor.type.kind, descriptor.type.version, error.message);
  }
}

/** The JSON of a patch, with the fields it has twice; throws BadRequest. */
export function parsePatch(body: Buffer): ParsedJson {
  try {
    return parseJson(body.toString('utf8'));
  } catch (error) {
    throw statusErrors.badRequest(`error decoding patch: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The DeleteOptions of a body; their apiVersion is that of any group. */
export function decodeDeleteOptions(exchange: Exchange, body: Buffer): JsonObject {
  const mediaType = mediaTypeOf(exchange.request);
  let parsed: Json;
  try {
    if (mediaType === JSON_TYPE) parsed = parseJson(body.toString('utf8')).value;
    else if (mediaType === YAML_TYPE) parsed = parseYamlBytes(body).value;
    else if (mediaType === PROTOBUF_TYPE) parsed = decodeProtobuf(openEnvelope(body), DELETE_OPTIONS);
    else throw statusErrors.unsupportedMediaType(MEDIA_TYPES);
  } catch (error) {
    if (error instanceof StatusError) throw error;
    const what = mediaType === PROTOBUF_TYPE ? '' : "couldn't get version/kind; json parse error: ";
    throw statusErrors.badRequest(what + (error instanceof Error ? error.message : String(error)));
  }
  parsed ??= {};
  if (!isJsonObject(parsed)) {
    const what = Array.isArray(parsed) ? 'array' : typeof parsed;
    throw statusErrors.badRequest(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${what} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    );
  }
  const { kind, apiVersion } = parsed;
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions') {
    const version = typeof apiVersion === 'string' && apiVersion !== '' ? apiVersion : 'v1';
    throw statusErrors.badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(version)} in scheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:28"`,
    );
  }
  try {
    return decodeAlong(parsed, DELETE_OPTIONS).value;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw statusErrors.badRequest(error.message);
  }
}

const DELETE_OPTIONS = schemaOf('meta.v1.DeleteOptions');

/** Fills in a missing kind and apiVersion; refuses others. */
function checkKind(document: JsonObject, descriptor: Descriptor): void {
  const { type } = descriptor;
  const kind = document['kind'] ?? '';
  const apiVersion = document['apiVersion'] ?? '';
  if (descriptor.custom) {
    checkCustomKind(document, descriptor);
    return;
  }
  const problem = foreignKind(document, type);
  if (problem === undefined) return;
  const givenVersion = typeof apiVersion === 'string' && apiVersion !== '' ? apiVersion : apiVersionOf(type);
  if (problem === WRONG_VERSION) throw wrongVersion(givenVersion, type);
  const givenKind = typeof kind === 'string' && kind !== '' ? kind : type.kind;
  throw statusErrors.badRequest(
    `${givenKind} in version ${JSON.stringify(givenVersion.split('/').at(-1))} cannot be handled as a ${type.kind}: ${problem}`,
  );
}

/** What is wrong with a document of another version of the kind. */
export const WRONG_VERSION = 'another version';

/**
 * Why a document that says it is of another kind cannot be taken for one of the kind `type`: in upstream's words, or
 * WRONG_VERSION for another version of it. Undefined when it is of that kind, or does not say.
 */
export function foreignKind(document: JsonObject, type: Descriptor['type']): string | undefined {
  const { kind, apiVersion } = document;
  const givenKind = typeof kind === 'string' && kind !== '' ? kind : type.kind;
  const givenVersion = typeof apiVersion === 'string' && apiVersion !== '' ? apiVersion : apiVersionOf(type);
  if (givenKind === type.kind && givenVersion === apiVersionOf(type)) return undefined;
  const schema = builtInSchema(givenVersion, givenKind);
  if (schema === undefined) {
    return `no kind ${JSON.stringify(givenKind)} is registered for version ${JSON.stringify(givenVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`;
  }
  // Upstream reads the object as what it says it is, before it sees whether that can be made what is wanted.
  try {
    decodeAlong(document, schema);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return error.message;
  }
  const [version = '', group = ''] = givenVersion.split('/').reverse();
  if (givenKind === type.kind && group === type.group) return WRONG_VERSION;
  const target = `${factsGroup(type.group)}.${type.kind}`;
  return `converting (${version}.${givenKind}) to (${target}): unknown conversion`;
}

/** Custom resources have to say what they are, and upstream judges what they say like any other field. */
function checkCustomKind(document: JsonObject, { type }: Descriptor): void {
  const { kind, apiVersion = '', metadata } = document;
  if (typeof kind !== 'string' || kind === '') {
    const text = `Object 'Kind' is missing in '${JSON.stringify(document)}'`;
    throw statusErrors.badRequest(
      `the object provided is unrecognized (must be of type ${type.kind}): ${text} (${excerpt(Buffer.from(JSON.stringify(document)))})`,
    );
  }
  if (apiVersion !== apiVersionOf(type)) throw wrongVersion(apiVersion, type);
  if (kind !== type.kind) {
    const given = isJsonObject(metadata) ? metadata['name'] : undefined;
    const name = typeof given === 'string' ? given : '';
    const error = fieldError.invalid('kind', String(kind), `must be ${type.kind}`);
    throw statusErrors.invalid({ group: type.group, kind: String(kind) }, name, [error]);
  }
}

const wrongVersion = (apiVersion: Json | undefined, type: Descriptor['type']): Error =>
  statusErrors.badRequest(
    `the API version in the data (${String(apiVersion)}) does not match the expected API version (${apiVersionOf(type)})`,
  );

/** The schema of the built-in kind of this name in this version of its group. */
function builtInSchema(apiVersion: string, kind: string): StructSchema | undefined {
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  const name = `${factsGroup(group)}.${version}.${kind}`;
  return typeNames.includes(name) ? schemaOf(name) : undefined;
}

/** The typed object of a document: unknown and repeated fields reported and dropped, types checked, defaults applied. */
export function typedObject(
  exchange: Exchange,
  descriptor: Descriptor,
  document: JsonObject,
  validation: FieldValidation,
  parsed: Keys = NO_KEYS,
): KubeObject {
  const { kind, version } = descriptor.type;
  try {
    const { value, strictErrors } = decodeFields(document, descriptor);
    // Upstream reads custom resources first and looks at their schema afterwards.
    const keys = descriptor.custom ? { duplicates: parsed.duplicates } : parsed;
    if (validation !== 'Ignore') report(exchange, descriptor, inDocumentOrder(keys, strictErrors), validation);
    return completeObject(descriptor, value);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw cannotHandle(kind, version, error.message);
  }
}

/** The fields of a document along the descriptor's schema. Throws DecodeError when a value does not fit its field. */
export function decodeFields(document: JsonObject, { schema, custom }: Descriptor): Decoded {
  return custom ? decodeCustomObject(document, schema) : decodeAlong(document, schema);
}

/** The object with the defaults of the schema and of the kind; parts of `value` may be changed. */
export function completeObject(descriptor: Descriptor, value: JsonObject): KubeObject {
  const withMetadata = isJsonObject(value['metadata']) ? value : { ...value, metadata: {} };
  // The canonical form has every struct that types promise; defaulting and validation rely on it.
  const whole = canonicalize(withMetadata, descriptor.schema);
  const object = applyDefaults(whole, descriptor.schema) as unknown as KubeObject;
  descriptor.defaults?.(object);
  return object;
}

function report(
  exchange: Exchange,
  descriptor: Descriptor,
  errors: readonly string[],
  validation: FieldValidation,
): void {
  if (errors.length === 0) return;
  if (validation === 'Warn') {
    append(exchange.warnings, errors);
    return;
  }
  const { kind, version } = descriptor.type;
  throw cannotHandle(kind, version, strictDecodingText(asStrictErrors(errors)));
}

/** V8's complaint in the words of Go's decoder, as far as the two agree on what is wrong. */
function jsonErrorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (/Unexpected end|Unterminated/.test(text)) return 'unexpected end of JSON input';
  const trailing = /Unexpected non-whitespace character after JSON at position/.test(text);
  const token = /Unexpected token '?(.)'?/s.exec(text)?.[1];
  if (token !== undefined) {
    return `invalid character '${token}' ${trailing ? 'after top-level value' : 'looking for beginning of value'}`;
  }
  return text;
}

/** The beginning of a body, as upstream quotes it: what looks like JSON as text, everything else in hexadecimal. */
function excerpt(body: Buffer): string {
  if (body.length === 0) return '<empty>';
  const text = body.subarray(0, 30).toString(body[0] === 0x7b ? 'utf8' : 'hex');
  return body.length > 30 ? `${text} ...` : text;
}
