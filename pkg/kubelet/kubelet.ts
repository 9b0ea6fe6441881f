/** The kubelet: runs this node's Pods. It puts its parts together; what they do is in the other files. */
import { readFile } from 'node:fs/promises';
import type { Pod } from '../api/generated/core-v1.ts';
import { nodes as nodeType, pods as podType, services as serviceType } from '../api/resources.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import type { Component } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import { CONTAINER_LOG_DIR, POD_LOG_DIR } from '../base/paths.ts';
import type { Client } from '../client/client.ts';
import { createEventRecorder } from '../client/events.ts';
import type { CriClient } from '../cri/client.ts';
import { type CgroupHost, detectCgroups } from '../host/cgroups.ts';
import { Backoff } from './backoff.ts';
import { KUBEPODS } from './cgroup-resources.ts';
import { type ClusterDns, type DnsConfig, parseResolvConf } from './dns-config.ts';
import type { PodPlace } from './field-ref.ts';
import { ImageManager } from './images.ts';
import { KubeletPaths } from './kubelet-paths.ts';
import { Limiter } from './limiter.ts';
import { rotateLogs } from './log-rotation.ts';
import { keepNodeLease } from './node-lease.ts';
import type { NodeIdentity } from './node-object.ts';
import { NodeReporter } from './node-reporter.ts';
import { createPodCgroups } from './pod-cgroups.ts';
import { PodRuntime, type PodRuntimeTools } from './pod-runtime.ts';
import { PodWorkers } from './pod-workers.ts';
import { ProbeManager } from './probes/probe-manager.ts';
import { informedReferences, type ReferencedObjects } from './referenced-objects.ts';
import { RuntimeState } from './runtime-state.ts';
import { KubeletServer, type KubeletTls } from './server.ts';
import { StatsProvider } from './stats/stats-provider.ts';
import { StatusManager } from './status-manager.ts';
import { ClaimVolumes } from './volumes/claim-volumes.ts';
import { ServiceAccountTokens } from './volumes/service-account-tokens.ts';
import { VolumeManager, type VolumePlugin } from './volumes/volume-manager.ts';

export interface KubeletOptions {
  /** Acts as this node (`system:node:<name>`). */
  readonly client: Client;
  /** The container runtime; asked for when the kubelet starts. */
  readonly cri: () => CriClient;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly node: NodeIdentity;
  /** The kubelet's folder. */
  readonly root: string;
  readonly tls: KubeletTls;
  /** Calls its argument with renewed certificates; returns the unsubscriber. */
  readonly onTlsChange?: (apply: (tls: KubeletTls) => void) => () => void;
  readonly clusterDns: ClusterDns;
  /** Where the server listens; every address unless given. */
  readonly address?: string;
  /** `/var/log/pods` unless given. */
  readonly podLogDir?: string;
  /** `/var/log/containers` unless given. */
  readonly containerLogDir?: string;
  /** How this machine does cgroups; looked up unless given. It has to be what the runtime was configured for. */
  readonly cgroups?: CgroupHost;
  /** Pods' cgroups are below it; `/kubepods` unless given. Kubelets that share a machine need one each. */
  readonly cgroupRoot?: string;
  /** The host's name servers; `/etc/resolv.conf` unless given. */
  readonly resolvConf?: string;
  /** The ConfigMaps and Secrets of Pods; informers of all unless given. */
  readonly references?: ReferencedObjects;
  /** Further kinds of volumes. */
  readonly volumePlugins?: readonly VolumePlugin[];
}

/** How many sandboxes and containers are made at the same time. */
const CONCURRENT_STARTS = 4;
const RESOLV_CONF = '/etc/resolv.conf';
/** What systemd-resolved was given, where /etc/resolv.conf only names its own stub on the host. */
const RESOLVED_CONF = '/run/systemd/resolve/resolv.conf';

/** Name servers that Pods can reach: those on the host's loopback they cannot. */
async function hostDns(path: string): Promise<DnsConfig> {
  const read = async (file: string): Promise<DnsConfig | undefined> => {
    try {
      return parseResolvConf(await readFile(file, 'utf8'));
    } catch {
      // A machine without a resolver: Pods of the cluster's own DNS do not need one.
      return undefined;
    }
  };
  const own = (await read(path)) ?? { servers: [], searches: [], options: [] };
  const local = own.servers.length > 0 && own.servers.every((server) => server.startsWith('127.') || server === '::1');
  return local ? ((await read(RESOLVED_CONF)) ?? own) : own;
}

interface Parts {
  readonly reporter: NodeReporter;
  readonly workers: PodWorkers;
  readonly probes: ProbeManager;
  readonly server: KubeletServer;
}

/** Upstream's kubelet as a Component: ready when the API has its Node as Ready. */
class Kubelet implements Component {
  readonly name = 'kubelet';
  readonly #options: KubeletOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>[] = [];
  #parts: Parts | undefined;
  #unsubscribeTls: (() => void) | undefined;

  constructor(options: KubeletOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log.child('kubelet');
  }

  async start(outer: AbortSignal): Promise<void> {
    const { client, node, root } = this.#options;
    const signal = AbortSignal.any([outer, this.#stopping.signal]);
    const clock = this.#clock;
    const log = this.#log;
    const { images: imageService, runtime } = this.#options.cri();
    const paths = new KubeletPaths(root);
    const references = this.#options.references ?? informedReferences(client);
    const events = createEventRecorder({ client, clock, log, component: 'kubelet', host: node.name, signal });
    const tokens = new ServiceAccountTokens(client, clock);
    const plugins = [new ClaimVolumes({ client, paths }), ...(this.#options.volumePlugins ?? [])];
    const volumes = new VolumeManager({ paths, clock, references, tokens, plugins });
    const cgroups = await createPodCgroups(
      this.#options.cgroups ?? detectCgroups(),
      this.#options.cgroupRoot ?? KUBEPODS,
    );
    const state = new RuntimeState({ runtime, clock, log });
    const onNetworkChange = (): void => this.#parts?.workers.wake();
    await volumes.start();
    const reporter = new NodeReporter({
      client,
      runtime,
      clock,
      log,
      identity: node,
      storagePath: root,
      onNetworkChange,
    });
    await Promise.all([reporter.inspect(), cgroups.start(), state.start(signal)]);

    const podLogDir = this.#options.podLogDir ?? POD_LOG_DIR;
    const services = client.informer(serviceType);
    const images = new ImageManager({ images: imageService, clock });
    const crashBackoff = new Backoff(clock);
    const tools: PodRuntimeTools = {
      runtime,
      state,
      events,
      clock,
      log,
      paths,
      podLogDir,
      containerLogDir: this.#options.containerLogDir ?? CONTAINER_LOG_DIR,
      limiter: new Limiter(CONCURRENT_STARTS),
      images,
      crashBackoff,
      memoryCapacity: reporter.memoryBytes,
      services: () => services.list(),
      sandbox: {
        podLogDir,
        clusterDns: this.#options.clusterDns,
        hostDns: await hostDns(this.#options.resolvConf ?? RESOLV_CONF),
        cgroupParent: (pod) => cgroups.parentOf(pod),
      },
    };
    const statuses = new StatusManager({ client, clock, log });
    const probes = new ProbeManager({ runtime, clock, events, onChange: (uid) => workers.wake(uid) });
    const place = (): Omit<PodPlace, 'podIPs'> => ({
      nodeName: node.name,
      hostIPs: node.ips,
      allocatable: reporter.resources,
    });
    const pods = client.informer(podType, { fieldSelector: `spec.nodeName=${node.name}` });
    const workers: PodWorkers = new PodWorkers({
      pods,
      node: () => reporter.node,
      freshNode: () => client.get(nodeType, node.name),
      podRuntime: new PodRuntime(tools),
      state,
      volumes,
      probes,
      statuses,
      cgroups,
      references,
      events,
      clock,
      log,
      place,
      networkProblem: () => reporter.networkProblem,
      images,
      crashBackoff,
      paths,
    });
    const currentPods = (): Pod[] => workers.list().map((pod) => statuses.current(pod));
    const stats = new StatsProvider({
      runtime,
      images: imageService,
      runtimeOf: (uid) => state.get(uid),
      pods: currentPods,
      clock,
      log,
      nodeName: node.name,
      root,
    });
    const server = new KubeletServer({
      runtime,
      state,
      pods: currentPods,
      stats,
      clock,
      log,
      address: this.#options.address,
      port: node.port,
      tls: this.#options.tls,
    });
    await server.start();
    this.#unsubscribeTls = this.#options.onTlsChange?.((tls) => server.setTls(tls));
    this.#parts = { reporter, workers, probes, server };
    reporter.start(signal);
    this.#running.push(
      statuses.run(signal),
      keepNodeLease({ client, clock, log, nodeName: node.name }, signal),
      rotateLogs({ runtime, state, clock, log }, signal),
    );
    await Promise.all([pods.synced(), services.synced(), references.synced(), reporter.registered()]);
    await workers.start(signal);
  }

  async ready(): Promise<void> {
    await this.#parts?.reporter.ready();
  }

  /** Lets go of everything but the Pods, which go on running. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#unsubscribeTls?.();
    this.#parts?.workers.stop();
    this.#parts?.probes.stop();
    await this.#parts?.server.stop();
    const ends = await Promise.allSettled(this.#running);
    for (const end of ends) {
      if (end.status === 'rejected') this.#log.warn('part did not end cleanly', { error: errorText(end.reason) });
    }
  }
}

/** The kubelet of the node `options.node`. */
export function createKubelet(options: KubeletOptions): Component {
  return new Kubelet(options);
}
