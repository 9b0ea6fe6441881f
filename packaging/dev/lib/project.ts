import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The top of the checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
/** Everything the tools make on the way; safe to delete. */
export const BUILD_DIR = join(ROOT, 'build');

/** The path of a program that an npm package of the project brings. */
export function packageProgram(name: string): string {
  return join(ROOT, 'node_modules', '.bin', name);
}
