import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureEtcd } from '../../packaging/dev/lib/etcd.ts';
import { HostCluster } from '../e2e/lib/host-cluster.ts';
import { type Host, Lan } from '../e2e/lib/hosts.ts';
import { EXECUTABLE } from '../e2e/lib/kedge.ts';
import { deployment, SERVE_HOSTNAME, service } from '../e2e/lib/manifests.ts';
import { Namespace } from '../e2e/lib/namespace.ts';
import { until } from '../e2e/lib/until.ts';
import { Asker, Writer } from './acknowledged.ts';

/** What may be killed: one process, or in `server and etcd` two of one machine; `cable` is pulled for a while. */
export const FAULTS = [
  'server',
  'etcd',
  'server and etcd',
  'agent',
  'containerd',
  'shim',
  'container',
  'cable',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Faults that take Pods with them, or a machine Pods are on: what is asked just then may go unanswered. */
const TAKES_PODS: ReadonlySet<Fault> = new Set(['shim', 'container', 'cable']);

export interface CampaignOptions {
  /** Whether the servers are nodes, too. */
  readonly serverNodes: boolean;
  readonly replicas: number;
  /** Between 0 and 1; decides who is hit. */
  readonly random: () => number;
  readonly say: (text: string) => void;
}

/** What came of one fault. */
export interface Round {
  readonly fault: Fault;
  readonly host: string;
  /** From the fault until everything was as before, ms. */
  readonly healed: number;
  /** The longest time without an acknowledged write, ms. */
  readonly pause: number;
  /** Questions to the Service that went unanswered. */
  readonly unanswered: number;
}

const NAMES = ['one', 'two', 'three'];
const HEALING_MS = 120_000;
const RUN = '/run/kedge/containerd';

/**
 * Three servers and an agent, a writer and someone who asks a Service; `strike` breaks one thing and waits until all is
 * well again, `finish` looks whether anything acknowledged was lost, and what is left over.
 */
export class Campaign {
  readonly #options: CampaignOptions;
  readonly #lan: Lan;
  readonly #env: Readonly<Record<string, string>>;
  readonly #servers: readonly Host[];
  readonly #agent: Host;
  #token = '';
  #writer: Writer | undefined;
  #asker: Asker | undefined;

  private constructor(options: CampaignOptions, lan: Lan, servers: readonly Host[], agent: Host, etcd: string) {
    this.#options = options;
    this.#lan = lan;
    this.#servers = servers;
    this.#agent = agent;
    this.#env = { PATH: `${dirname(etcd)}:${process.env['PATH']}` };
  }

  static async start(options: CampaignOptions): Promise<Campaign> {
    const etcd = await ensureEtcd();
    const lan = await Lan.create();
    try {
      const servers: Host[] = [];
      for (const name of NAMES) servers.push(await lan.addHost(name));
      const campaign = new Campaign(options, lan, servers, await lan.addHost('agent'), etcd);
      await campaign.#begin();
      return campaign;
    } catch (error) {
      await lan.close();
      throw error;
    }
  }

  get writes(): Writer {
    assert.ok(this.#writer !== undefined);
    return this.#writer;
  }

  get answers(): Asker {
    assert.ok(this.#asker !== undefined);
    return this.#asker;
  }

  /** Breaks one thing, at a machine that chance picks, and waits until all is as before. */
  async strike(fault: Fault): Promise<Round> {
    const host = this.#pick(this.#candidates(fault));
    const begun = Date.now();
    await this.#break(fault, host);
    await this.#heals(`${fault} of ${host.name}`, begun);
    const round: Round = {
      fault,
      host: host.name,
      healed: Date.now() - begun,
      pause: this.writes.longestPause(begun),
      unanswered: this.answers.failuresSince(begun),
    };
    const { healed, pause, unanswered } = round;
    this.#options.say(
      `${fault} of ${host.name}: healed after ${healed} ms, longest pause of writes ${pause} ms, ${unanswered} questions unanswered`,
    );
    assert.ok(pause < 10_000, `writes stood still for ${pause} ms when ${fault} of ${host.name} was lost`);
    if (!TAKES_PODS.has(fault)) {
      const why = this.answers.failures.filter(({ at }) => at >= begun);
      assert.equal(unanswered, 0, `${fault} of ${host.name} was lost, no Pod was: ${JSON.stringify(why)}`);
    }
    return round;
  }

  /** The server that the agent was told of is away: the agent goes on with the others, also when it starts anew. */
  async loseFirstServer(): Promise<void> {
    const [one, two] = this.#servers as [Host, Host, Host];
    const begun = Date.now();
    await Promise.all([this.#kill(one, await this.#etcdPid(one)), one.kedge.stop('SIGKILL')]);
    const ns = new Namespace(await HostCluster.at(two), 'faults');
    const scale = async (replicas: number): Promise<void> => {
      await ns.kubectl('scale', 'deployment/web', `--replicas=${replicas}`);
      await ns.waitFor('deployment/web', '.status.readyReplicas', String(replicas), 90_000);
    };
    await scale(this.#options.replicas + 1);
    await this.#agent.kedge.stop();
    this.#startKedge(this.#agent);
    await scale(this.#options.replicas + 2);
    const pods = (await ns.kubectl('get', 'pods', '-o', 'name')).split('\n');
    for (const pod of pods) assert.equal(await ns.kubectl('exec', pod, '--', 'echo', 'works'), 'works');
    await scale(this.#options.replicas);
    this.#startKedge(one);
    await this.#heals('the loss of the first server', begun);
  }

  /** Ends the writer and looks at what is there on every server. */
  async finish(): Promise<void> {
    this.writes.stop();
    this.answers.stop();
    await delay(500);
    for (const host of this.#servers) {
      const missing = await this.writes.missing(await HostCluster.at(host));
      assert.deepEqual(missing, [], `acknowledged, but not so at ${host.name}`);
    }
    assert.deepEqual(this.writes.stale, [], 'reads that did not show what was acknowledged before');
    for (const host of this.#nodes()) await this.#assertNoRemains(host);
  }

  /** Ends kedge everywhere by its own commands: nothing may be left on the machines. */
  async leave(): Promise<void> {
    for (const host of [this.#agent, ...this.#servers]) {
      await host.kedge.stop();
      await host.mustRun([EXECUTABLE, 'killall']);
      const left = await host.run(['pgrep', '-l', 'etcd|containerd|pause|httpd|runc']);
      assert.equal(left.stdout, '', `processes left on ${host.name}`);
      const links = await host.mustRun(['ip', '-o', 'link']);
      assert.doesNotMatch(links, /cni0|flannel|veth/, `devices left on ${host.name}`);
      assert.doesNotMatch(await host.mustRun(['nft', 'list', 'tables']), /kedge/, `rules left on ${host.name}`);
      const mounts = (await host.mustRun(['cat', '/proc/mounts'])).split('\n');
      const own = mounts.filter((line) => /\/(run|var\/lib)\/kedge\/./.test(line));
      assert.deepEqual(own, [], `mounts left on ${host.name}`);
    }
  }

  close(): Promise<void> {
    this.#writer?.stop();
    this.#asker?.stop();
    return this.#lan.close();
  }

  /** Memory (RSS) of each kedge and each etcd. */
  async memory(): Promise<string> {
    const parts: string[] = [];
    for (const host of [...this.#servers, this.#agent]) {
      const etcd =
        host === this.#agent
          ? ''
          : ` + etcd ${megabytes(await host.mustRun(['cat', `/proc/${await this.#etcdPid(host)}/status`]))}`;
      parts.push(`${host.name} ${megabytes(readFileSync(`/proc/${host.kedge.pid}/status`, 'utf8'))}${etcd}`);
    }
    return `${parts.join(', ')} MB`;
  }

  async #begin(): Promise<void> {
    const [one, ...others] = this.#servers as [Host, ...Host[]];
    this.#startKedge(one, '--cluster-init');
    await this.#isUp(one);
    this.#token = readFileSync(one.path('/var/lib/kedge/server/token'), 'utf8').trim();
    for (const host of others) {
      this.#startKedge(host);
      await this.#isUp(host);
    }
    this.#startKedge(this.#agent);
    const cluster = await HostCluster.at(one);
    await cluster.waitForNodes(this.#nodes().map(({ name }) => name));
    const ns = await Namespace.create(cluster, 'faults');
    await ns.apply(service('web', 'web'), deployment('web', this.#options.replicas, SERVE_HOSTNAME));
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    const address = await ns.read('service/web', '.spec.clusterIP');
    // Whose cable is never pulled.
    const kubeconfig = '/run/admin.yaml';
    writeFileSync(this.#agent.path(kubeconfig), readFileSync(one.path('/etc/kedge/kedge.yaml')), { mode: 0o600 });
    this.#writer = new Writer(this.#agent, kubeconfig, this.#servers);
    this.#asker = new Asker(this.#agent, `http://${address}/`);
    await this.#heals('the start', Date.now());
  }

  #startKedge(host: Host, ...flags: readonly string[]): void {
    const [one] = this.#servers;
    const join = ['--server', `https://${one?.address}:6443`, '--token', this.#token];
    if (host === this.#agent) {
      host.startKedge(['agent', ...join]);
      return;
    }
    const node = this.#options.serverNodes ? [] : ['--disable-agent'];
    // A unit file says the same at every start.
    const place = host === one ? ['--cluster-init', ...flags] : join;
    host.startKedge(['server', ...node, ...place], { env: this.#env });
  }

  #nodes(): readonly Host[] {
    return this.#options.serverNodes ? [...this.#servers, this.#agent] : [this.#agent];
  }

  #candidates(fault: Fault): readonly Host[] {
    switch (fault) {
      case 'server':
      case 'etcd':
      case 'server and etcd':
        return this.#servers;
      case 'agent':
        return [this.#agent];
      case 'cable':
        return this.#servers;
      case 'containerd':
        return this.#nodes();
      case 'shim':
      case 'container':
        return this.#nodes().filter((host) => this.#podCount(host) > 0);
    }
  }

  #pick<T>(from: readonly T[]): T {
    const found = from[Math.floor(this.#options.random() * from.length)];
    assert.ok(found !== undefined, 'there is somebody to be hit');
    return found;
  }

  async #break(fault: Fault, host: Host): Promise<void> {
    switch (fault) {
      case 'server':
      case 'agent':
        await host.kedge.stop('SIGKILL');
        return this.#startAgain(host);
      case 'server and etcd':
        await Promise.all([this.#kill(host, await this.#etcdPid(host)), host.kedge.stop('SIGKILL')]);
        return this.#startAgain(host);
      case 'etcd':
        return this.#kill(host, await this.#etcdPid(host));
      case 'containerd':
        return this.#kill(host, await this.#processOf(host, 'containerd'));
      case 'shim':
        return this.#kill(host, await this.#processOf(host, 'containerd-shim'));
      case 'container':
        return this.#kill(host, await this.#processOf(host, this.#pick(['httpd', 'pause'])));
      case 'cable':
        await host.cutOff();
        await delay(2_000 + this.#options.random() * 15_000);
        return host.bringBack();
    }
  }

  /** As the service manager would, some seconds later. */
  async #startAgain(host: Host): Promise<void> {
    await delay(this.#options.random() * 5_000);
    this.#startKedge(host);
  }

  async #kill(host: Host, pid: string): Promise<void> {
    await host.mustRun(['kill', '-9', pid]);
  }

  async #etcdPid(host: Host): Promise<string> {
    const record = JSON.parse(readFileSync(host.path('/var/lib/kedge/server/db/etcd/process.json'), 'utf8'));
    return String(record.pid);
  }

  /** One of the host's processes of that name. */
  async #processOf(host: Host, name: string): Promise<string> {
    const pids = (await host.mustRun(['pgrep', '-x', name.slice(0, 15)])).trim().split('\n');
    return this.#pick(pids);
  }

  async #isUp(host: Host): Promise<void> {
    await until(`the API of ${host.name} is ready`, () => this.#isReady(host), { timeoutMs: 90_000 });
  }

  async #isReady(host: Host): Promise<boolean> {
    host.kedge.checkAlive();
    const cluster = await HostCluster.at(host);
    return (await cluster.kubectl(['get', '--raw', '/readyz', '--request-timeout=5s'])) === 'ok';
  }

  /** Waits until all servers answer, all nodes are Ready, all Pods serve, and writes go on. */
  async #heals(from: string, since: number): Promise<void> {
    const options = { timeoutMs: HEALING_MS, intervalMs: 300 };
    for (const host of this.#lan.hosts) host.kedge.checkAlive();
    for (const host of this.#servers)
      await until(`${host.name} answers after ${from}`, () => this.#isReady(host), options);
    for (const host of this.#servers) {
      await until(`all is well after ${from}, as seen by ${host.name}`, () => this.#isWell(host), options);
    }
    await until(`writes go on after ${from}`, () => this.writes.hasWritten(since), options);
    await until(`the Service answers after ${from}`, () => this.answers.isServed(), options);
  }

  async #isWell(host: Host): Promise<boolean> {
    const cluster = await HostCluster.at(host);
    const text = await cluster.kubectl([
      ...['get', '--request-timeout=5s', 'nodes,pods,deployments,endpointslices', '-A', '-o', 'json'],
    ]);
    const { items } = JSON.parse(text) as { readonly items: readonly Seen[] };
    const of = (kind: string): Seen[] => items.filter((item) => item.kind === kind);
    const isTrue = (item: Seen): boolean =>
      item.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
    const nodes = of('Node');
    assert.ok(nodes.length === this.#nodes().length && nodes.every(isTrue), 'all nodes are Ready');
    const pods = of('Pod').filter(({ metadata }) => metadata.namespace === 'faults');
    const told = pods.map(({ metadata, status }) => `${metadata.name} ${status?.phase}`).join(', ');
    assert.ok(pods.length === this.#options.replicas && pods.every(isTrue), `all Pods are ready: ${told}`);
    const [web] = of('Deployment');
    assert.equal(web?.status?.readyReplicas, this.#options.replicas, 'the Deployment is complete');
    const addresses = of('EndpointSlice')
      .filter(({ metadata }) => metadata.name === 'kubernetes')
      .flatMap(({ endpoints = [] }) => endpoints.flatMap((each) => each.addresses));
    assert.equal(addresses.length, this.#servers.length, 'all API servers are endpoints');
    return true;
  }

  #podCount(host: Host): number {
    const folder = host.path('/var/lib/kedge/agent/kubelet/pods');
    return existsSync(folder) ? readdirSync(folder).length : 0;
  }

  /** There are as many sandboxes, folders and tasks as Pods. */
  async #assertNoRemains(host: Host): Promise<void> {
    const cluster = await HostCluster.at(this.#servers[0] ?? host);
    const path = ['get', 'pods', '-A', `--field-selector=spec.nodeName=${host.name}`, '-o', 'name'];
    const pods = (await cluster.kubectl(path)).split('\n').filter((name) => name !== '').length;
    const count = (folder: string): number =>
      existsSync(host.path(folder)) ? readdirSync(host.path(folder)).length : 0;
    const remains = (): object => ({
      folders: this.#podCount(host),
      tasks: count(`${RUN}/io.containerd.runtime.v2.task/k8s.io`),
      networks: count(`${RUN}/io.containerd.grpc.v1.cri/netns`),
      addresses: readdirSync(host.path('/run/kedge/cni/kedge')).filter((name) => /^\d/.test(name)).length,
    });
    const expected = { folders: pods, tasks: 2 * pods, networks: pods, addresses: pods };
    try {
      await until('', () => JSON.stringify(remains()) === JSON.stringify(expected), { timeoutMs: 60_000 });
    } catch {
      assert.deepEqual(remains(), expected, `what is there for ${pods} Pods on ${host.name}`);
    }
  }
}

/** The memory of a process by its /proc/<pid>/status. */
function megabytes(status: string): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

interface Seen {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly status?: {
    readonly phase?: string;
    readonly readyReplicas?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
  readonly endpoints?: readonly { readonly addresses: readonly string[] }[];
}
