import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../../pkg/base/component.ts';
import { run } from './command.ts';
import { unpackFromSid } from './debian-sid.ts';
import { BUILD_DIR } from './project.ts';
import { step } from './report.ts';

/** One kubectl that can be run. */
export interface Kubectl {
  readonly program: string;
  /** As it tells itself: `1.36`. */
  readonly version: string;
}

const OLDEST_MINOR = 27;
const TOOL_DIR = join(BUILD_DIR, 'tools', 'kubectl');
const UNPACKED = join(TOOL_DIR, 'root', 'usr', 'bin', 'kubectl');

/** The kubectl on the PATH, when it is one that kedge supports. */
export async function systemKubectl(): Promise<Kubectl | undefined> {
  const version = await versionOf('kubectl');
  if (version === undefined) return undefined;
  return Number(version.split('.')[1]) >= OLDEST_MINOR ? { program: 'kubectl', version } : undefined;
}

/**
 * Debian sid's kubectl, which is of the Kubernetes release kedge speaks: fetched once and unpacked below build/,
 * beside the system's. Throws OperatorError when Debian's archive cannot be reached.
 */
export async function ensureKubectl(): Promise<Kubectl> {
  if (!existsSync(UNPACKED)) {
    await step("fetching Debian sid's kubectl", () => unpackFromSid(['kubectl'], TOOL_DIR));
  }
  const version = await versionOf(UNPACKED);
  if (version === undefined) throw new OperatorError(`${UNPACKED} does not run: delete ${TOOL_DIR} and try again`);
  return { program: UNPACKED, version };
}

async function versionOf(program: string): Promise<string | undefined> {
  const result = await run(program, ['version', '--client', '--output=json']);
  return /"gitVersion": "v(\d+\.\d+)/.exec(result.stdout)?.[1];
}
