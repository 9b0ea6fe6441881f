import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { OperatorError } from '../../pkg/base/component.ts';
import { ALL_FLAGS, type Flag } from './flags.ts';
import { nearest } from './nearest.ts';
import type { Setting } from './settings.ts';

/**
 * Reads the config file and the files beside it in `<file>.d/`, by k3s's rules: keys are flag names, files are read in
 * alphabetical order, the last value of a key wins, and a key with a `+` behind it adds to the list so far.
 * Keys of other commands than the one with these `flags` are passed over. A file that is not there is no error unless `required`. Throws OperatorError naming file and line.
 */
export function readConfigFiles(file: string, required: boolean, flags: readonly Flag[]): Map<string, Setting> {
  const found = new Map<string, Setting>();
  const main = readIfThere(file, required);
  if (main !== undefined) addFile(found, file, main, flags);
  for (const name of dropIns(`${file}.d`)) {
    const path = join(`${file}.d`, name);
    addFile(found, path, readIfThere(path, true) ?? '', flags);
  }
  return found;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; create it or leave --config out',
  EACCES: 'permission denied; run kedge as root or make the file readable',
  EISDIR: 'it is a directory; name a YAML file',
};

function readIfThere(file: string, required: boolean): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' && !required) return undefined;
    throw new OperatorError(`cannot read config file ${file}: ${REASONS[code] ?? code}`);
  }
}

function dropIns(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /\.ya?ml$/.test(name))
      .sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw new OperatorError(`cannot read config folder ${folder}: ${REASONS[codeOf(error)] ?? codeOf(error)}`);
  }
}

function addFile(found: Map<string, Setting>, file: string, text: string, flags: readonly Flag[]): void {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeOf = (offset: number): string => `${file}:${lines.linePos(offset).line}`;
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new OperatorError(`${placeOf(problem.pos[0])}: not valid YAML: ${problem.message}`);
  }
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return;
  if (!isMap(root)) throw new OperatorError(`${file}:1: expected lines of the form "flag-name: value"`);
  for (const { key, value } of root.items) {
    if (!isScalar(key)) throw new OperatorError(`${file}:1: keys must be flag names`);
    const place = placeOf(key.range?.[0] ?? 0);
    const written = String(key.value);
    const name = written.replace(/\+$/, '');
    const flag = flags.find((known) => known.name === name && known.name !== 'config');
    // Meant for another command that reads the same file.
    if (flag === undefined && ALL_FLAGS.some((known) => known.name === name && name !== 'config')) continue;
    if (flag === undefined) throw new OperatorError(`${place}: unknown key "${written}"${hint(name, flags)}`);
    const values = valuesOf(value as Node | null, flag, place);
    const before = written === name ? [] : (found.get(name)?.values ?? []);
    found.set(name, { values: [...before, ...values], origin: `${flag.name} (${place})` });
  }
}

function hint(name: string, flags: readonly Flag[]): string {
  const meant = nearest(
    name,
    flags.filter((flag) => flag.name !== 'config').map((flag) => flag.name),
  );
  return meant === undefined ? '; keys are the flags of `kedge server --help`' : `: did you mean "${meant}"?`;
}

function valuesOf(node: Node | null, flag: Flag, place: string): string[] {
  if (isSeq(node)) {
    if (flag.kind !== 'list') throw new OperatorError(`${place}: ${flag.name} takes one value, not a list`);
    return node.items.map((item) => textOf(item as Node | null, flag, place));
  }
  return [textOf(node, flag, place)];
}

/** Numbers and booleans as they are written: a mode of 0600 must keep its meaning. */
function textOf(node: Node | null, flag: Flag, place: string): string {
  if (!isScalar(node) || node.value === null) {
    throw new OperatorError(`${place}: ${flag.name} needs ${flag.kind === 'list' ? 'a list of values' : 'a value'}`);
  }
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}
