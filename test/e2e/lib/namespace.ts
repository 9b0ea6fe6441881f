import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import type { CommandResult } from '../../../packaging/dev/lib/command.ts';
import { Conversation } from './conversation.ts';
import type { KubectlOptions } from './kedge.ts';
import { until } from './until.ts';

/** A Kubernetes object as far as a test looks into it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** Whoever can run kubectl as the administrator of a cluster. */
export interface KubectlUser {
  /** Resolves whatever the exit code is. */
  tryKubectl(args: readonly string[], options?: KubectlOptions): Promise<CommandResult>;
  /** Has to succeed; resolves to stdout without the last line break. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string>;
  /** One that goes on; the test ends it. */
  spawnKubectl(args: readonly string[], options?: KubectlOptions): ChildProcess;
}

/** kubectl as a user of one namespace has it. Each test works in a namespace of its own, so that tests run side by side. */
export class Namespace {
  readonly kedge: KubectlUser;
  readonly name: string;
  readonly #options: KubectlOptions;

  constructor(kedge: KubectlUser, name: string, options: KubectlOptions = {}) {
    this.kedge = kedge;
    this.name = name;
    this.#options = options;
  }

  /** Makes the namespace, and waits for what every Pod in it needs. */
  static async create(kedge: KubectlUser, name: string, options: KubectlOptions = {}): Promise<Namespace> {
    const namespace = new Namespace(kedge, name, options);
    await namespace.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await until(
      `namespace ${name} has its service account`,
      async () =>
        (await namespace.tryKubectl('get', 'serviceaccount/default', 'configmap/kube-root-ca.crt')).code === 0,
    );
    return namespace;
  }

  /** Runs kubectl, which has to succeed; resolves to its stdout. */
  kubectl(...args: readonly string[]): Promise<string> {
    return this.kedge.kubectl(['-n', this.name, ...args], this.#options);
  }

  /** Runs kubectl; resolves whatever its exit code is. */
  tryKubectl(...args: readonly string[]): Promise<CommandResult> {
    return this.kedge.tryKubectl(['-n', this.name, ...args], this.#options);
  }

  /** Runs kubectl with something on its stdin. */
  kubectlWithInput(input: string, ...args: readonly string[]): Promise<string> {
    return this.kedge.kubectl(['-n', this.name, ...args], { ...this.#options, input });
  }

  /** kubectl has to fail with a message like `message`. */
  async assertRefused(message: RegExp, ...args: readonly string[]): Promise<void> {
    const result = await this.tryKubectl(...args);
    assert.notEqual(result.code, 0, `kubectl ${args.join(' ')} is refused, it said: ${result.output}`);
    assert.match(result.output, message);
  }

  /** `kubectl apply` of some objects. */
  apply(...manifests: readonly Manifest[]): Promise<string> {
    const list = { apiVersion: 'v1', kind: 'List', items: manifests };
    return this.kubectlWithInput(JSON.stringify(list), 'apply', '-f', '-');
  }

  /** A kubectl that goes on. */
  talk(...args: readonly string[]): Conversation {
    return new Conversation(this.kedge.spawnKubectl(['-n', this.name, ...args], this.#options));
  }

  /** A kubectl that goes on, at a terminal. */
  talkAtTerminal(...args: readonly string[]): Conversation {
    return new Conversation(this.kedge.spawnKubectl(['-n', this.name, ...args], { ...this.#options, terminal: true }));
  }

  /** What a JSONPath (without its outer braces) gives for one object. */
  read(resource: string, path: string): Promise<string> {
    return this.kubectl('get', resource, '-o', `jsonpath={${path}}`);
  }

  /** Waits until a JSONPath gives `value`. */
  async waitFor(resource: string, path: string, value: string | RegExp, timeoutMs = 30_000): Promise<void> {
    let last = '';
    const look = async (): Promise<boolean> => {
      last = await this.read(resource, path);
      if (typeof value === 'string' ? last === value : value.test(last)) return true;
      throw new Error(`it is ${JSON.stringify(last)}`);
    };
    await until(`${path} of ${resource} in ${this.name} is ${value}`, look, { timeoutMs });
  }

  /** Waits until a Pod is Ready. */
  async waitReady(pod: string, timeoutMs = 30_000): Promise<void> {
    await this.waitFor(`pod/${pod}`, '.status.conditions[?(@.type=="Ready")].status', 'True', timeoutMs);
  }
}
