import { setTimeout as delay } from 'node:timers/promises';
import { OperatorError } from '../../../pkg/base/component.ts';
import { type CommandOptions, type CommandResult, run } from './command.ts';

/** A cluster as a user of kubectl sees it. */
export interface Cluster {
  /** The kubectl to use. */
  readonly program: string;
  readonly kubeconfig: string;
}

/** Runs kubectl against `cluster` and resolves whatever its exit code is. */
export function kubectl(
  cluster: Cluster,
  args: readonly string[],
  options: Pick<CommandOptions, 'input' | 'env'> = {},
): Promise<CommandResult> {
  return run(cluster.program, args, {
    env: { ...options.env, KUBECONFIG: cluster.kubeconfig },
    ...(options.input === undefined ? {} : { input: options.input }),
  });
}

/** How far a starting cluster has come; each step holds only when the ones before it do. */
const STEPS = [
  { missing: 'the API server answers', args: ['get', '--raw', '/readyz'], holds: (text: string) => text === 'ok' },
  {
    missing: 'the node registers',
    args: ['get', 'nodes', '-o', 'name'],
    holds: (text: string) => text.startsWith('node/'),
  },
  {
    missing: 'the node is Ready',
    args: ['get', 'nodes', '-o', 'jsonpath={.items[0].status.conditions[?(@.type=="Ready")].status}'],
    holds: (text: string) => text === 'True',
  },
  {
    missing: 'the namespace "default" has its service account',
    args: ['get', 'serviceaccount', 'default', '-n', 'default', '-o', 'name'],
    holds: (text: string) => text.startsWith('serviceaccount/'),
  },
] as const;

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Looks whether kedge still runs; throws when it does not. */
  readonly checkAlive: () => void;
  /** Is told what is waited for next. */
  readonly progress?: (text: string) => void;
}

/** Waits until Pods can be run. Throws OperatorError naming what has not happened in time. */
export async function waitUntilReady(cluster: Cluster, options: WaitOptions): Promise<void> {
  const limit = Date.now() + options.timeoutMs;
  for (const step of STEPS) {
    options.progress?.(`waiting until ${step.missing}`);
    for (;;) {
      const result = await kubectl(cluster, [...step.args, '--request-timeout=5s']);
      if (result.code === 0 && step.holds(result.stdout.trim())) break;
      options.checkAlive();
      if (Date.now() > limit) {
        const said = result.output.trim().split('\n').at(-1);
        throw new OperatorError(`waited ${options.timeoutMs / 1000} s in vain until ${step.missing} (${said})`);
      }
      await delay(200);
    }
  }
}
