/**
 * Extracts the facts of the Kubernetes API (field names, types, protobuf numbers, markers) from the Go packages that
 * Debian sid ships (golang-k8s-api-dev and siblings) into pkg/api/facts/kubernetes.json. Run by hand when the API level
 * moves: `node packaging/dev/extract-facts.ts <dir>/usr/share/gocode/src/k8s.io`. The grammar of a field line is
 * documented in pkg/api/facts.ts, which reads it.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Source folder of each package, its proto package, and the short name kedge gives it. */
const PACKAGES: readonly { dir: string; proto: string; name: string }[] = [
  ...[
    'admission/v1',
    'admissionregistration/v1',
    'apidiscovery/v2',
    'apps/v1',
    'authentication/v1',
    'authorization/v1',
    'autoscaling/v1',
    'autoscaling/v2',
    'batch/v1',
    'certificates/v1',
    'coordination/v1',
    'core/v1',
    'discovery/v1',
    'events/v1',
    'flowcontrol/v1',
    'networking/v1',
    'node/v1',
    'policy/v1',
    'rbac/v1',
    'resource/v1',
    'scheduling/v1',
    'storage/v1',
  ].map((path) => ({
    dir: join('api', path),
    proto: `k8s.io.api.${path.replace('/', '.')}`,
    name: path.replace('/', '.'),
  })),
  { dir: 'apimachinery/pkg/apis/meta/v1', proto: 'k8s.io.apimachinery.pkg.apis.meta.v1', name: 'meta.v1' },
  {
    dir: 'apiextensions-apiserver/pkg/apis/apiextensions/v1',
    proto: 'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1',
    name: 'apiextensions.v1',
  },
  {
    dir: 'metrics/pkg/apis/metrics/v1beta1',
    proto: 'k8s.io.metrics.pkg.apis.metrics.v1beta1',
    name: 'metrics.v1beta1',
  },
];

/** Proto messages whose JSON form is not an object of their fields. */
const SPECIAL: Readonly<Record<string, string>> = {
  'k8s.io.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime': 'microTime',
  'k8s.io.apimachinery.pkg.apis.meta.v1.Duration': 'duration',
  'k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1': 'any.fieldsV1',
  'k8s.io.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'k8s.io.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  'k8s.io.apimachinery.pkg.runtime.RawExtension': 'any.rawExtension',
  'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSON': 'any.json',
  'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': 'any.schemaOrArray',
  'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'any.schemaOrBool',
  'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'any.schemaOrStringArray',
};

const SCALARS: Readonly<Record<string, string>> = {
  string: 'string',
  bool: 'boolean',
  int32: 'int32',
  int64: 'int64',
  double: 'double',
  bytes: 'bytes',
};

/** kube-aggregator is in no package: its messages, by hand, in the form of the output. */
const BY_HAND: Readonly<Record<string, readonly string[]>> = {
  'apiregistration.v1.APIService': [
    '@type',
    'metadata 1 meta.v1.ObjectMeta optional emit',
    'spec 2 apiregistration.v1.APIServiceSpec optional emit',
    'status 3 apiregistration.v1.APIServiceStatus optional emit',
  ],
  'apiregistration.v1.APIServiceList': [
    '@type',
    'metadata 1 meta.v1.ListMeta optional emit',
    'items 2 []apiregistration.v1.APIService emit',
  ],
  'apiregistration.v1.APIServiceSpec': [
    'service 1 apiregistration.v1.ServiceReference optional keep',
    'group 2 string optional',
    'version 3 string optional',
    'insecureSkipTLSVerify 4 boolean optional',
    'caBundle 5 bytes optional list=atomic',
    'groupPriorityMinimum 7 int32 emit',
    'versionPriority 8 int32 emit',
  ],
  'apiregistration.v1.APIServiceStatus': [
    'conditions 1 []apiregistration.v1.APIServiceCondition optional list=map:type patch=merge:type',
  ],
  'apiregistration.v1.APIServiceCondition': [
    'type 1 string emit',
    'status 2 string emit',
    'lastTransitionTime 3 time optional emit',
    'reason 4 string optional',
    'message 5 string optional',
  ],
  'apiregistration.v1.ServiceReference': [
    'namespace 1 string optional',
    'name 2 string optional',
    'port 3 int32 optional keep',
  ],
  // The answer of /version, which has no protobuf form.
  'version.Info': [
    ...['major', 'minor'].map((name) => `${name} 0 string emit`),
    ...['emulationMajor', 'emulationMinor', 'minCompatibilityMajor', 'minCompatibilityMinor'].map(
      (name) => `${name} 0 string optional`,
    ),
    ...['gitVersion', 'gitCommit', 'gitTreeState', 'buildDate', 'goVersion', 'compiler', 'platform'].map(
      (name) => `${name} 0 string emit`,
    ),
  ],
};

interface GoField {
  name: string;
  goType: string;
  json: string;
  omitEmpty: boolean;
  omitZero: boolean;
  inline: boolean;
  number: number | undefined;
  markers: string[];
}
interface GoPackage {
  structs: Map<string, { fields: GoField[]; markers: string[] }>;
  /** `type X []T` and `type X map…` by name. */
  aliases: Map<string, string>;
  enums: Map<string, string[]>;
  constants: Map<string, string>;
}

/** `core`: the package that others refer to as `v1`. */
function readGo(dir: string, core: GoPackage | undefined): GoPackage {
  const found: GoPackage = { structs: new Map(), aliases: new Map(), enums: new Map(), constants: new Map() };
  const enumNames = new Set<string>();
  const typed: { type: string; value: string }[] = [];
  for (const file of readdirSync(dir)) {
    if (!file.endsWith('.go') || /_test\.go$|^zz_|generated\.pb\.go$|swagger_doc/.test(file)) continue;
    let markers: string[] = [];
    let struct: { fields: GoField[]; markers: string[] } | undefined;
    for (const line of readFileSync(join(dir, file), 'utf8').split('\n')) {
      const comment = /^\s*\/\/\s?(.*)$/.exec(line);
      if (comment !== null) {
        const marker = /^\s*\+(\S.*)$/.exec(comment[1] ?? '');
        if (marker?.[1] !== undefined) markers.push(marker[1].trim());
        continue;
      }
      if (struct !== undefined) {
        if (line.startsWith('}')) {
          struct = undefined;
          markers = [];
          continue;
        }
        const field = /^\t(?:(\w+)\s+)?(\S.*?)\s*`([^`]*)`/.exec(line);
        if (field !== null) {
          const json = (/json:"([^"]*)"/.exec(field[3] ?? '')?.[1] ?? '').split(',');
          const proto = /protobuf:"([^"]*)"/.exec(field[3] ?? '')?.[1]?.split(',');
          struct.fields.push({
            name: field[1] ?? '',
            goType: field[2] ?? '',
            json: json[0] ?? '',
            omitEmpty: json.includes('omitempty'),
            omitZero: json.includes('omitzero'),
            inline: json.includes('inline') || (field[1] === undefined && json[0] === ''),
            number: proto === undefined ? undefined : Number(proto[1]),
            markers,
          });
          markers = [];
        } else if (line.trim() === '') {
          // A blank line ends a detached comment block inside a struct.
          markers = [];
        }
        continue;
      }
      const structStart = /^type (\w+) struct ?\{/.exec(line);
      if (structStart?.[1] !== undefined) {
        struct = { fields: [], markers };
        found.structs.set(structStart[1], struct);
        markers = [];
        if (line.endsWith('{}')) struct = undefined;
        continue;
      }
      const alias = /^type (\w+) (\[\]\S+|map\S+)/.exec(line);
      if (alias?.[1] !== undefined && alias[2] !== undefined) found.aliases.set(alias[1], alias[2]);
      const stringType = /^type (\w+) string/.exec(line);
      if (stringType?.[1] !== undefined && markers.includes('enum')) enumNames.add(stringType[1]);
      const constant = /^\s*(?:const\s+)?(\w+)\s+(\w+)\s*=\s*"([^"]*)"/.exec(line);
      if (constant?.[1] !== undefined && constant[2] !== undefined && constant[3] !== undefined) {
        typed.push({ type: constant[2], value: constant[3] });
        found.constants.set(constant[1], constant[3]);
      }
      // `PathTypeExact = PathType("Exact")`, `AddressTypeIPv4 = AddressType(v1.IPv4Protocol)`
      const converted = /^\s*(?:const\s+)?\w+\s*=\s*(\w+)\((?:"([^"]*)"|v1\.(\w+))\)/.exec(line);
      if (converted?.[1] !== undefined) {
        const value = converted[2] ?? core?.constants.get(converted[3] ?? '');
        if (value !== undefined) typed.push({ type: converted[1], value });
      }
      if (line.trim() !== '') markers = [];
    }
  }
  for (const name of enumNames) {
    found.enums.set(
      name,
      [...new Set(typed.filter((entry) => entry.type === name).map((entry) => entry.value))].sort(),
    );
  }
  return found;
}

interface ProtoField {
  name: string;
  type: string;
  label: 'optional' | 'repeated' | 'map';
  number: number;
}

function readProto(file: string): Map<string, ProtoField[]> {
  const messages = new Map<string, ProtoField[]>();
  let current: ProtoField[] | undefined;
  for (const raw of readFileSync(file, 'utf8').split('\n')) {
    const line = raw.trim();
    if (line.startsWith('//')) continue;
    const start = /^message (\w+) \{/.exec(line);
    if (start?.[1] !== undefined) {
      current = [];
      messages.set(start[1], current);
      continue;
    }
    if (current === undefined) continue;
    if (line === '}') {
      current = undefined;
      continue;
    }
    const map = /^map<string, (\S+)> (\w+) = (\d+);/.exec(line);
    if (map !== null) {
      current.push({ label: 'map', type: map[1] ?? '', name: map[2] ?? '', number: Number(map[3]) });
      continue;
    }
    const plain = /^(optional|repeated) (\S+) (\w+) = (\d+);/.exec(line);
    if (plain !== null) {
      current.push({
        label: plain[1] as 'optional' | 'repeated',
        type: plain[2] ?? '',
        name: plain[3] ?? '',
        number: Number(plain[4]),
      });
    }
  }
  return messages;
}

/** `+listType=map`, `+listType map` and the k8s: form all occur. */
function marker(markers: readonly string[], name: string): string | undefined {
  for (const text of markers) {
    const match = new RegExp(`^(?:k8s:)?${name}(?:=(.*))?$`).exec(text);
    if (match !== null) return (match[1] ?? '').trim();
  }
  return undefined;
}

function extract(root: string): Record<string, readonly string[]> {
  const go = new Map<string, GoPackage>();
  const proto = new Map<string, Map<string, ProtoField[]>>();
  const core = readGo(join(root, 'api/core/v1'), undefined);
  for (const source of PACKAGES) {
    go.set(source.name, readGo(join(root, source.dir), core));
    proto.set(source.name, readProto(join(root, source.dir, 'generated.proto')));
  }
  const shortName = (type: string, own: { proto: string; name: string }): string => {
    const full = type.startsWith('.') ? type.slice(1) : `${own.proto}.${type}`;
    const special = SPECIAL[full];
    if (special !== undefined) return special;
    const home = PACKAGES.find(
      (source) => full.startsWith(`${source.proto}.`) && !full.slice(source.proto.length + 1).includes('.'),
    );
    if (home === undefined) throw new Error(`type ${full} belongs to no known package`);
    const name = full.slice(home.proto.length + 1);
    const wrapped = go.get(home.name)?.aliases.get(name);
    if (wrapped !== undefined) return '~[]string';
    return `${home.name}.${name}`;
  };
  const out: Record<string, string[]> = {};
  for (const source of PACKAGES) {
    const types = go.get(source.name);
    for (const [message, fields] of proto.get(source.name) ?? []) {
      const full = `${source.proto}.${message}`;
      const struct = types?.structs.get(message);
      if (SPECIAL[full] !== undefined || types?.aliases.has(message) || struct === undefined) continue;
      const lines: string[] = [];
      if (struct.fields.some((field) => /(^|\.)TypeMeta$/.test(field.goType))) lines.push('@type');
      for (const field of fields) {
        const goField = struct.fields.find((candidate) => candidate.number === field.number);
        if (goField === undefined) throw new Error(`${full}.${field.name} has no Go field`);
        const base = SCALARS[field.type] ?? shortName(field.type, source);
        const type = field.label === 'repeated' ? `[]${base}` : field.label === 'map' ? `{}${base}` : base;
        lines.push(fieldLine(goField, type, types, core));
      }
      if (struct.markers.some((text) => text === 'structType=atomic' || text === 'mapType=atomic'))
        lines.unshift('@atomic');
      if (struct.markers.includes('union')) {
        const discriminator = struct.fields.find(({ markers }) => markers.includes('unionDiscriminator'));
        lines.unshift(['@union', ...(discriminator === undefined ? [] : [discriminator.json])].join(' '));
      }
      out[`${source.name}.${message}`] = lines;
    }
  }
  return { ...out, ...BY_HAND };
}

function fieldLine(field: GoField, type: string, types: GoPackage | undefined, core: GoPackage): string {
  const parts = [field.inline ? '@inline' : field.json, String(field.number), type];
  const pointer = field.goType.startsWith('*');
  // Go writes a struct held by value even when it is empty; `omitempty` does not reach it.
  const isStruct = !pointer && !/^([[{~]|string$|boolean$|int32$|int64$|double$|bytes$)/.test(type);
  const mayLack = field.omitEmpty || field.omitZero || marker(field.markers, 'optional') !== undefined;
  if (mayLack && marker(field.markers, 'required') === undefined) parts.push('optional');
  if (!field.inline) {
    if (pointer && !field.omitEmpty && !field.omitZero) parts.push('null');
    else if (field.omitZero) parts.push(pointer ? 'keep' : 'drop');
    else if (!field.omitEmpty || isStruct) parts.push('emit');
    else if (pointer) parts.push('keep');
  }
  const list = marker(field.markers, 'listType');
  const keys = field.markers.flatMap((text) => /^(?:k8s:)?listMapKey=(.*)$/.exec(text)?.[1] ?? []);
  if (list !== undefined) parts.push(`list=${list}${list === 'map' ? `:${[...new Set(keys)].join(',')}` : ''}`);
  if (marker(field.markers, 'mapType') === 'atomic' || marker(field.markers, 'structType') === 'atomic')
    parts.push('atomic');
  const strategy = marker(field.markers, 'patchStrategy');
  if (strategy !== undefined) {
    const key = marker(field.markers, 'patchMergeKey');
    parts.push(`patch=${strategy}${key === undefined ? '' : `:${key}`}`);
  }
  const goName = field.goType.replace(/^\*|^\[\]/, '');
  const ofCore = /^(?:api|core)?v1\.(\w+)$/.exec(goName)?.[1];
  const allowed = ofCore === undefined ? types?.enums.get(goName) : core.enums.get(ofCore);
  if (allowed !== undefined && allowed.length > 0) parts.push(`enum=${allowed.map(encodeURIComponent).join('|')}`);
  const fallback = marker(field.markers, 'default');
  if (fallback !== undefined) {
    const reference = /^ref\((\w+)\)$/.exec(fallback);
    const value = reference?.[1] === undefined ? fallback : JSON.stringify(types?.constants.get(reference[1]));
    parts.push(`default=${encodeURIComponent(value)}`);
  }
  return parts.join(' ');
}

const root = process.argv[2];
if (root === undefined) throw new Error('usage: extract-facts.ts <folder that holds api/, apimachinery/, …>');
const facts = extract(root);
const names = Object.keys(facts).sort();
const body = names.map((name) => `${JSON.stringify(name)}: ${JSON.stringify(facts[name])}`).join(',\n');
writeFileSync(new URL('../../pkg/api/facts/kubernetes.json', import.meta.url), `{\n${body}\n}\n`);
process.stdout.write(
  `${names.length} types, ${names.reduce((sum, name) => sum + (facts[name]?.length ?? 0), 0)} fields\n`,
);
