import { accessSync, constants, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { OperatorError } from '../../pkg/base/component.ts';
import { machineSetting } from './machine-settings.ts';

/** Shows `kedge kubectl` in the help; it is run before the command line is read. */
export function addKubectlCommand(program: Command): void {
  program.command('kubectl').description("run this machine's kubectl on this machine's cluster");
}

/**
 * `kedge kubectl …`, or kedge called by the name `kubectl`: becomes the kubectl of this machine, with this machine's
 * cluster unless KUBECONFIG names another. Does not return. Throws OperatorError when there is no kubectl.
 */
export function runKubectl(args: readonly string[]): never {
  const program = findKubectl((process.env['PATH'] ?? '').split(':'), realpathSync(process.execPath));
  if (program === undefined)
    throw new OperatorError('kubectl is not installed: apt install kubectl, or kubernetes-client');
  const env = needsKubeconfig(args, process.env) ? { ...process.env, KUBECONFIG: kubeconfig() } : process.env;
  process.execve?.(program, ['kubectl', ...args], env);
  throw new Error('this Node.js cannot become another program');
}

/** What kubectl does without a cluster. */
const ALONE = ['completion', 'help', 'kustomize', 'options', 'plugin'];

/** Whether kubectl is to be told this machine's cluster: it is not when the user names one, or when it needs none. */
export function needsKubeconfig(args: readonly string[], env: NodeJS.ProcessEnv): boolean {
  // What stands behind "--" belongs to a program in a container.
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const isNamed = (env['KUBECONFIG'] ?? '') !== '' || own.some((arg) => /^--kubeconfig(=|$)/.test(arg));
  const isAlone = ALONE.includes(own[0] ?? 'help') || own.some((arg) => /^(-h|--help|--client)$/.test(arg));
  return !isNamed && !isAlone;
}

/** The first kubectl in `folders` that is not kedge itself by another name. */
export function findKubectl(folders: readonly string[], self: string): string | undefined {
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'kubectl'))
    .find((path) => isExecutable(path) && realpathSync(path) !== self);
}

function kubeconfig(): string {
  const path = machineSetting('write-kubeconfig');
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new OperatorError(
      isMissing
        ? `there is no kubeconfig ${path}: start kedge server on this machine, or set KUBECONFIG`
        : `${path} cannot be read: run this as root, or start kedge server with --write-kubeconfig-mode 644`,
    );
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Missing or not for us: both mean that the search goes on.
    return false;
  }
}
