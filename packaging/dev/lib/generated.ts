import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as descriptions from '../generate-descriptions.ts';
import * as apiTypes from '../generate-types.ts';
import { BUILD_DIR } from './project.ts';
import { say } from './report.ts';

/** What makes a part of the generated code. */
interface Generator {
  /** The files read; when none changed, the output stands. */
  readonly inputs: readonly URL[];
  /** The folder or file written. */
  readonly output: URL;
  generate(): void;
}

const GENERATORS: Readonly<Record<string, Generator>> = { 'API types': apiTypes, 'API descriptions': descriptions };

/** Writes the generated code whose inputs have changed since it was written; everything with `force`. */
export function ensureGenerated(force = false): void {
  const folder = join(BUILD_DIR, 'stamps');
  mkdirSync(folder, { recursive: true });
  for (const [name, generator] of Object.entries(GENERATORS)) {
    const stamp = join(folder, `generated-${name.replaceAll(' ', '-')}`);
    const hash = contentHash(generator.inputs);
    const isFresh = existsSync(stamp) && existsSync(generator.output) && readFileSync(stamp, 'utf8') === hash;
    if (isFresh && !force) continue;
    generator.generate();
    writeFileSync(stamp, hash);
    say(`${name}: generated`);
  }
}

/** One hash over the contents of `files`, in their order. */
export function contentHash(files: Iterable<string | URL>): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}
