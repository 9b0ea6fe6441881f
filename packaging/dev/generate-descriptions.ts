/**
 * Writes the texts of `kubectl explain` and of table columns to build/descriptions.json. They are taken from the doc
 * comments of @kubernetes/client-node, which is generated from the same release's API description as the facts.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DESCRIPTIONS_ASSET } from '../../pkg/api/descriptions.ts';
import { schemaOf, typeNames } from '../../pkg/api/facts.ts';
import { BUILD_DIR, ROOT } from './lib/project.ts';

const PACKAGE = join(ROOT, 'node_modules/@kubernetes/client-node');
const MODELS = join(PACKAGE, 'dist/gen/models');

/** The files this generator reads; when none changed, its output stands. */
export const inputs: readonly URL[] = [
  new URL('../../pkg/api/facts/kubernetes.json', import.meta.url),
  new URL(`file://${join(PACKAGE, 'package.json')}`),
  new URL(import.meta.url),
];

/** The file it writes. */
export const output: URL = new URL(`file://${join(BUILD_DIR, DESCRIPTIONS_ASSET)}`);

/** Writes the file afresh: by type name of the facts, the text of the type (key ``) and of each field. */
export function generate(): void {
  const all: Record<string, Record<string, string>> = {};
  for (const typeName of typeNames) {
    const texts = textsOf(typeName);
    if (Object.keys(texts).length > 0) all[typeName] = texts;
  }
  mkdirSync(BUILD_DIR, { recursive: true });
  writeFileSync(output, JSON.stringify(all));
}

/** client-node prefixes a class with its group only where two groups have a type of the same name. */
function textsOf(typeName: string): Record<string, string> {
  const [group = '', version = '', kind = ''] = typeName.split('.');
  const plain = `${capital(version)}${kind}`;
  for (const className of [`${capital(group)}${plain}`, plain]) {
    const file = join(MODELS, `${className}.d.ts`);
    if (!existsSync(file)) continue;
    const source = readFileSync(file, 'utf8');
    const { fields } = schemaOf(typeName);
    const declared = [...source.matchAll(/^ {4}'([^']+)'\??:/gm)].map(([, name = '']) => plainName(name));
    // Otherwise it is another group's type of the same name.
    if (declared.every((name) => fields.has(name))) return parseModel(source, SENTENCES[group] ?? 'wide where all are');
  }
  return {};
}

/** What two blanks after a sentence mean; groups are typed by different people. */
type Sentences = 'wide' | 'wide where all are' | 'paragraphs';

const SENTENCES: Partial<Readonly<Record<string, Sentences>>> = { flowcontrol: 'wide', resource: 'paragraphs' };

function parseModel(source: string, sentences: Sentences): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [, comment = '', declared = ''] of source.matchAll(
    /\/\*\*\n\s*\* ?(.*?)\n\s*\*\/\n\s*(export declare class|'[^']+'\??:)/g,
  )) {
    const name = declared.startsWith('export') ? '' : declared.replace(/^'|'\??:$/g, '');
    texts[plainName(name)] = paragraphs(comment, sentences);
  }
  return texts;
}

/** The generator renames properties that are no identifiers: `_continue`, `x_kubernetes_list_type`. */
function plainName(name: string): string {
  return name.startsWith('x_') ? name.replaceAll('_', '-') : name.replace(/^_/, '');
}

/**
 * The generator writes each line break as a blank, so two blanks after a sentence were a paragraph, and more an indented
 * line. Two blanks after every sentence are taken for a habit of typing, where the group may have it.
 */
function paragraphs(comment: string, sentences: Sentences): string {
  const plain = comment.replace(/\\(['"\\*/])/g, '$1');
  // What comes after a colon or a formula is a paragraph, and then so is the rest.
  const isHabit =
    sentences === 'wide' ? !/[:)] {2}\S/.test(plain) : sentences !== 'paragraphs' && !/[a-z)]\. [A-Z]/.test(plain);
  return (isHabit ? plain : plain.replace(/([.:,;)`"']) {2}(?=[^\s=])/g, '$1\n\n'))
    .replace(/ ( {2,})(?=\S)/g, '\n$1')
    .trim();
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

if (process.argv[1] === import.meta.filename) generate();
