import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Node, Pod } from '../../../pkg/api/generated/core-v1.ts';
import { nodes, pods } from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { isStatusReason } from '../../../pkg/apimachinery/status-error.ts';
import { formatTime } from '../../../pkg/apimachinery/time.ts';
import { LOOPBACK_USER } from '../../../pkg/apiserver/authn/user.ts';
import { type Clock, systemClock } from '../../../pkg/base/clock.ts';
import { Supervisor } from '../../../pkg/base/component.ts';
import { parseCIDR } from '../../../pkg/base/ip.ts';
import { createLogger } from '../../../pkg/base/log.ts';
import { PORTS, pathsFor } from '../../../pkg/base/paths.ts';
import type { Client } from '../../../pkg/client/client.ts';
import { CertificateManager } from '../../../pkg/pki/certificates.ts';
import type { Descriptor } from '../../../pkg/registry/descriptor.ts';
import { ControlPlane } from '../../../pkg/server/control-plane.ts';
import { ensureLocalStorage } from '../../../pkg/server/local-storage.ts';
import { controllerManager, scheduler } from '../../../pkg/server/server.ts';

/** The real control plane, controllers and scheduler in this process; nodes and kubelets are played. */
export interface Cluster {
  readonly client: Client;
  /** What was logged at warn and above. */
  readonly complaints: readonly string[];
  /** `<node>:<path>` of each volume's folder that was removed from a (played) node. */
  readonly removedFolders: readonly string[];
  addNode(name: string, cpu: string): Promise<Node>;
  /** From now on every bound Pod runs and is ready at once, and a deleted one ends at once. */
  playKubelets(): void;
  /** Serves one more resource. */
  serve(descriptor: Descriptor): void;
  stop(): Promise<void>;
}

export async function startCluster(clock: Clock = systemClock): Promise<Cluster> {
  const dataDir = await mkdtemp(join(tmpdir(), 'kedge-controllers-'));
  const complaints: string[] = [];
  const log = createLogger({ level: 'warn', write: (line) => complaints.push(line), now: () => new Date() });
  const paths = pathsFor(dataDir);
  const serviceCIDR = parseCIDR('10.43.0.0/16');
  if (serviceCIDR === undefined) throw new TypeError('not a CIDR');
  const supervisor = new Supervisor(log);
  // Timers of the server never keep a process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  const certificates = new CertificateManager({
    paths,
    subject: {
      nodeName: 'test',
      nodeIPs: ['127.0.0.1'],
      serviceIP: '10.43.0.1',
      clusterDomain: 'cluster.local',
      tlsSans: [],
    },
    clock,
    log,
  });
  await supervisor.start(certificates);
  const controlPlane = new ControlPlane({
    paths,
    bindAddress: '127.0.0.1',
    port: 0,
    // Validation wants an address that is not the loopback's.
    advertiseAddress: '192.0.2.1',
    serviceCIDR,
    nodePorts: { first: 30000, last: 32767 },
    metricsAPI: false,
    certificates,
    clock,
    log,
    onFatal: (error) => complaints.push(error.message),
  });
  await supervisor.start(controlPlane);
  const shared = { supervisor, controlPlane, clock, log };
  const config = {
    clusterCIDR: '10.42.0.0/16',
    serviceCIDR: '10.43.0.0/16',
    localStoragePath: '/var/lib/kedge/storage',
    httpsListenPort: PORTS.apiserver,
    disabled: { localStorage: false, serviceLB: false, kubeProxy: false },
  };
  const client = controlPlane.client(LOOPBACK_USER);
  await ensureLocalStorage(client, true);
  const removedFolders: string[] = [];
  const folders = {
    async remove({ metadata }: Node, path: string): Promise<void> {
      removedFolders.push(`${metadata.name}:${path}`);
    },
  };
  await supervisor.start(controllerManager({ ...shared, config }, certificates, folders));
  await supervisor.start(scheduler(shared));
  const unsubscribers: (() => void)[] = [];
  return {
    client,
    complaints,
    removedFolders,
    addNode: (name, cpu) => client.create(nodes, readyNode(name, cpu)),
    playKubelets() {
      unsubscribers.push(
        client.informer(pods).subscribe(({ type, object }) => {
          if (type !== 'deleted' && object.spec.nodeName) void playKubelet(client, object);
        }),
      );
    },
    serve: (descriptor) => controlPlane.core.registry.set(descriptor),
    async stop() {
      for (const unsubscribe of unsubscribers) unsubscribe();
      await supervisor.stop();
      clearInterval(alive);
      await rm(dataDir, { recursive: true });
    },
  };
}

/** A node without a kubelet that nobody expects reports of for the first minute. */
export function readyNode(name: string, cpu: string, labels: Record<string, string> = {}): Input<Node> {
  const now = formatTime(Date.now());
  const resources = { cpu, memory: '8Gi', pods: '110' };
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: now, lastTransitionTime: now }],
    },
  };
}

let addresses = 0;

/** What a kubelet would do about `pod`, without running anything. */
export async function playKubelet(client: Client, pod: Pod): Promise<void> {
  const { name, namespace = '', deletionTimestamp } = pod.metadata;
  try {
    if (deletionTimestamp !== undefined) {
      await client.delete(pods, name, { namespace, gracePeriodSeconds: 0 });
    } else if (pod.status.phase === 'Pending') {
      const ip = `10.42.0.${++addresses % 250}`;
      const lastTransitionTime = formatTime(Date.now());
      const status = {
        phase: 'Running',
        startTime: lastTransitionTime,
        podIP: ip,
        podIPs: [{ ip }],
        conditions: [{ type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime }],
      };
      await client.patch(pods, name, { type: 'strategic', body: { status } }, { namespace, subresource: 'status' });
    }
  } catch (error) {
    if (!isStatusReason(error, 'NotFound')) throw error;
  }
}

/** The first defined result of `look`, which is asked until `ms` milliseconds have passed. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  ms = 60_000,
): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`did not happen within ${ms} ms: ${what}`);
    await delay(20);
  }
}
