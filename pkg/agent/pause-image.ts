import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { OperatorError } from '../base/component.ts';

/** The image of every Pod's sandbox; built with kedge and never pulled. */
export const PAUSE_IMAGE = 'kedge.dev/pause:1';
/** The name of its archive among the executable's assets and in the build folder. */
export const PAUSE_ARCHIVE = 'pause.tar';

/** The archive of PAUSE_IMAGE: from the executable, or from `build/` of a checkout. */
export async function readPauseArchive(): Promise<Buffer> {
  if (isSea()) return Buffer.from(getAsset(PAUSE_ARCHIVE));
  const path = join(import.meta.dirname, '../../build', PAUSE_ARCHIVE);
  try {
    return await readFile(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    throw new OperatorError(`the pause image is missing at ${path}: make it with \`npm run build\``);
  }
}
