import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { OperatorError } from '../base/component.ts';
import { ExecError, exec } from '../host/exec.ts';

/** Learners and what is used of the API beside them came with 3.4. */
const OLDEST = [3, 4] as const;

/**
 * The etcd to run: `<data-dir>/bin/etcd`, else the one in the PATH. Throws OperatorError when there is none, or none
 * that will do.
 */
export async function findEtcd(dataDir: string, searchPath = process.env['PATH'] ?? ''): Promise<string> {
  const own = join(dataDir, 'bin');
  const program = await firstExecutable([own, ...searchPath.split(delimiter).filter((each) => each !== '')]);
  if (program === undefined) {
    throw new OperatorError(
      `etcd is not installed, and several servers need it: apt install etcd-server, or put the program etcd into ${own}`,
    );
  }
  const version = await versionOf(program);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major !== OLDEST[0] || minor < OLDEST[1]) {
    throw new OperatorError(`${program} is etcd ${version}: kedge needs 3.4 or later of etcd 3; put one into ${own}`);
  }
  return program;
}

async function firstExecutable(folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = join(folder, 'etcd');
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}

async function versionOf(program: string): Promise<string> {
  try {
    const output = await exec([program, '--version']);
    const version = /etcd Version: (\d+\.\d+\.\d+)/.exec(output)?.[1];
    if (version !== undefined) return version;
    throw new OperatorError(`${program} does not say which etcd it is: put another into its place`);
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    throw new OperatorError(`${program} does not run (${error.message}): put another into its place`);
  }
}
