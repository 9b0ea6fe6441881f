/**
 * Writes the texts of `kubectl explain` and of table columns to build/descriptions.json. They are taken from the doc
 * comments of kubernetes-models, which is generated from the same release's API description as the facts.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DESCRIPTIONS_ASSET } from '../../pkg/api/descriptions.ts';
import { typeNames } from '../../pkg/api/facts.ts';
import { BUILD_DIR, ROOT } from './lib/project.ts';

const MODULES = join(ROOT, 'node_modules');
const MODELS = join(MODULES, 'kubernetes-models');
const MACHINERY = join(MODULES, '@kubernetes-models/apimachinery');
/** Texts of what requests can ask for, which is no part of the models. */
const REQUESTS = join(MODULES, '@kubernetes/client-node/dist/gen/types/ObjectParamAPI.d.ts');
/** The only package with the text of Quantity, which did not change since. */
const QUANTITY = join(MODULES, 'kubernetes-types/api/resource.d.ts');

/** The files this generator reads; when none changed, its output stands. */
export const inputs: readonly URL[] = [
  new URL('../../pkg/api/facts/kubernetes.json', import.meta.url),
  new URL(`file://${join(MODELS, 'package.json')}`),
  new URL(`file://${join(MACHINERY, 'package.json')}`),
  new URL(`file://${join(MODULES, '@kubernetes/client-node/package.json')}`),
  new URL(import.meta.url),
];

/** The file it writes. */
export const output: URL = new URL(`file://${join(BUILD_DIR, DESCRIPTIONS_ASSET)}`);

/** Types that are no objects of fields. */
const SPECIAL: readonly string[] = [
  'meta.v1.Time',
  'meta.v1.MicroTime',
  'meta.v1.FieldsV1',
  'meta.v1.Patch',
  'intstr.IntOrString',
  'runtime.RawExtension',
  ...['JSON', 'JSONSchemaPropsOrArray', 'JSONSchemaPropsOrBool', 'JSONSchemaPropsOrStringArray'].map(
    (name) => `apiextensions.v1.${name}`,
  ),
];

/** The requests whose queries are made of a type's fields. */
const OPTIONS: Readonly<Record<string, string>> = {
  'meta.v1.ListOptions': 'ListPodForAllNamespaces',
  'meta.v1.CreateOptions': 'CreateNamespacedPod',
  'meta.v1.PatchOptions': 'PatchNamespacedPod',
  'core.v1.PodLogOptions': 'ReadNamespacedPodLog',
  'core.v1.PodExecOptions': 'ConnectGetNamespacedPodExec',
  'core.v1.PodAttachOptions': 'ConnectGetNamespacedPodAttach',
  'core.v1.PodPortForwardOptions': 'ConnectGetNamespacedPodPortforward',
  'core.v1.PodProxyOptions': 'ConnectGetNamespacedPodProxy',
  'core.v1.ServiceProxyOptions': 'ConnectGetNamespacedServiceProxy',
  'core.v1.NodeProxyOptions': 'ConnectGetNodeProxy',
};

const FOLDERS: Readonly<Record<string, string>> = {
  core: MODELS,
  meta: join(MACHINERY, 'apis/meta'),
  version: join(MACHINERY, 'version'),
  intstr: join(MACHINERY, 'util/intstr'),
  runtime: join(MACHINERY, 'runtime'),
};

/** Writes the file afresh: by type name of the facts, the text of the type (key ``) and of each field. */
export function generate(): void {
  const all: Record<string, Record<string, string>> = {};
  for (const typeName of [...typeNames, ...SPECIAL]) {
    const texts = textsOf(typeName);
    if (Object.keys(texts).length > 0) all[typeName] = texts;
  }
  all['resource.Quantity'] = parseModel(readFileSync(QUANTITY, 'utf8'));
  // Told of kinds, which models have as constants, by a type that is of many groups.
  const { kind = '', apiVersion = '' } = all['meta.v1.DeleteOptions'] ?? {};
  all['meta.v1.TypeMeta'] = { kind, apiVersion };
  const requests = readFileSync(REQUESTS, 'utf8');
  for (const [typeName, request] of Object.entries(OPTIONS)) all[typeName] = parseRequest(requests, request);
  mkdirSync(BUILD_DIR, { recursive: true });
  writeFileSync(output, JSON.stringify(all));
}

function textsOf(typeName: string): Record<string, string> {
  const [group = '', ...rest] = typeName.split('.');
  const folder = FOLDERS[group] ?? groupFolder(group);
  const file = folder === undefined ? '' : join(folder, `${rest.join('/')}.d.ts`);
  return existsSync(file) ? parseModel(readFileSync(file, 'utf8')) : {};
}

/** Folders have the whole name of their group. */
function groupFolder(group: string): string | undefined {
  const found = readdirSync(MODELS).find((name) => name.split('.')[0] === group);
  return found === undefined ? undefined : join(MODELS, found);
}

/** The texts of the interface or type, and of its own fields: deeper ones are those of types written out in place. */
function parseModel(source: string): Record<string, string> {
  const texts: Record<string, string> = {};
  const pattern = /\/\*\*\n((?: *\*.*\n)+?) *\*\/\n(?:export (?:interface|type) | {4}"([^"]+)"\??:)/g;
  for (const [, comment = '', name = ''] of source.matchAll(pattern)) {
    texts[name] = comment
      .replace(/^ *\* ?/gm, '')
      .replace(/\\([*/])/g, '$1')
      .trim();
  }
  return texts;
}

const ENTITIES: Readonly<Record<string, string>> = { '#39': "'", quot: '"', '#x60': '`', '#x3D': '=' };

/** The texts of a request's parameters, in which the generator writes each line break as a blank. */
function parseRequest(source: string, name: string): Record<string, string> {
  const start = source.indexOf(`export interface CoreV1Api${name}Request {`);
  const body = source.slice(start, source.indexOf('\n}', start));
  const texts: Record<string, string> = {};
  for (const [, comment = '', field = ''] of body.matchAll(/\/\*\*\n *\* (.*)\n(?: *\*.*\n)+? *_?(\w+)\??:/g)) {
    const plain = comment.replace(/\\?&(#?\w+);/g, (entity, code: string) => ENTITIES[code] ?? entity);
    // Two of them were a paragraph, more an indented line; logs alone have wide sentences.
    texts[field] = name.endsWith('Log')
      ? plain
      : plain
          .replace(/: {4}(?=\w)/g, ':\n\n  ')
          .replace(/([.:")]) {2}(?=[A-Z])/g, '$1\n\n')
          .replace(/ ( {2,})(?=\S)/g, '\n$1')
          // What follows an indented line is a paragraph, what follows an item is another.
          .replace(/^( +\S.*?) {2}(?=\S)/gm, '$1\n\n')
          .replace(/\. - (?=`)/g, '.\n- ');
  }
  return texts;
}

if (process.argv[1] === import.meta.filename) generate();
