import { randomUUID } from 'node:crypto';
import { nodeComponents } from '../agent/agent.ts';
import { ensureNodePassword } from '../agent/node-password.ts';
import { processLog, runParts } from '../agent/run-process.ts';
import {
  ALL_AUTHENTICATED,
  LOOPBACK_USER,
  nodeUser,
  serviceAccountGroups,
  serviceAccountUsername,
} from '../apiserver/authn/user.ts';
import { type Clock, holdProcess, systemClock } from '../base/clock.ts';
import { type Component, OperatorError, type Supervisor, together } from '../base/component.ts';
import { addressAt, formatAddress, parseCIDR } from '../base/ip.ts';
import { errorText, type Logger } from '../base/log.ts';
import { type Paths, PORTS, pathsFor } from '../base/paths.ts';
import { VERSION } from '../base/version.ts';
import type { ClusterConfig } from '../bootstrap/join-protocol.ts';
import { writeKubeconfig } from '../bootstrap/kubeconfig.ts';
import { createEventRecorder } from '../client/events.ts';
import { LeaderElection } from '../client/leader-election.ts';
import { createControllerManager } from '../controllers/manager.ts';
import type { EtcdMember } from '../etcd/member.ts';
import { claimDataDirectory } from '../host/data-directory.ts';
import { detectNodeAddress } from '../host/node-address.ts';
import type { KubeletTls } from '../kubelet/server.ts';
import { ensureDnsService } from '../network/dns/dns-service.ts';
import { CertificateManager, type Certificates } from '../pki/certificates.ts';
import type { UserInfo } from '../registry/user-info.ts';
import { createScheduler } from '../scheduler/scheduler.ts';
import { bootstrapRoute } from './cluster/bootstrap-route.ts';
import { prepareDatastore } from './cluster/choose-datastore.ts';
import { criticalSettings } from './cluster/critical-settings.ts';
import { refuseOtherNetworks } from './cluster/kept-networks.ts';
import { memberNote } from './cluster/member-note.ts';
import { MemberWatch } from './cluster/member-watch.ts';
import { clientURLsOf, startEtcd } from './cluster/start-etcd.ts';
import type { ServerConfig } from './config.ts';
import { ControlPlane } from './control-plane.ts';
import { JoinTokens } from './join/join-tokens.ts';
import { claimNodeName } from './join/node-names.ts';
import { ensureLocalStorage, NodeFolders } from './local-storage.ts';
import { Manifests } from './manifests/manifests.ts';
import { namespacedResources, objectMetadata } from './object-metadata.ts';
import { preflight } from './preflight.ts';
import { resetMembers, restoreSnapshot } from './snapshot/restore.ts';
import { snapshotRoute } from './snapshot/snapshot-routes.ts';

/** Runs the server until it is asked to end. Throws OperatorError when it cannot start. */
export async function runServer(config: ServerConfig): Promise<void> {
  await preflight(config);
  const log = processLog(config.debug);
  if (config.cluster.reset) return resetCluster(config, log);
  await runParts('kedge server', log, (supervisor, fatal) => startServer(config, supervisor, log, fatal));
}

/** Does what `--cluster-reset` asks for and ends. */
async function resetCluster(config: ServerConfig, log: Logger): Promise<void> {
  const paths = pathsFor(config.dataDir);
  const options = {
    paths,
    nodeName: config.node.name,
    nodeIP: config.node.ip ?? detectNodeAddress() ?? '127.0.0.1',
    clock: systemClock,
    log,
    signal: new AbortController().signal,
  };
  const { restorePath } = config.cluster;
  await holdProcess(async () => {
    if (restorePath === undefined) await resetMembers(options);
    else await restoreSnapshot(restorePath, options);
  });
  log.info(
    'this server is the only member of its cluster: start it without --cluster-reset; the others delete their server/db folder and join anew',
  );
}

async function startServer(
  config: ServerConfig,
  supervisor: Supervisor,
  log: Logger,
  onFatal: (error: Error) => void,
): Promise<void> {
  const clock = systemClock;
  const paths = pathsFor(config.dataDir);
  const serviceCIDR = parseCIDR(config.serviceCIDR);
  if (serviceCIDR === undefined) throw new TypeError(`not a CIDR: ${config.serviceCIDR}`);
  const nodeIP = config.node.ip ?? detectNodeAddress() ?? '127.0.0.1';
  const advertiseAddress = config.advertiseAddress ?? nodeIP;
  const choice = await prepareDatastore({ config, paths, clock, log, signal: supervisor.signal });
  await claimDataDirectory(config.dataDir);
  const certificates = new CertificateManager({
    paths,
    subject: {
      nodeName: config.node.name,
      nodeIPs: [...new Set([nodeIP, advertiseAddress])],
      serviceIP: formatAddress(addressAt(serviceCIDR, 1n)),
      clusterDomain: config.clusterDomain,
      tlsSans: config.tlsSANs,
    },
    lifetimeMs: config.certificateLifetimeMs,
    clock,
    log: log.child('certificates'),
  });
  await supervisor.start(certificates);
  const tokens = await JoinTokens.open({
    paths,
    token: config.token,
    agentToken: config.agentToken,
    caBundle: certificates.current.authorities['server-ca'].certificate,
  });
  const etcd =
    choice.kind === 'etcd'
      ? await startEtcd(choice, { config, paths, nodeIP, supervisor, clock, log, onFatal })
      : undefined;
  const controlPlane = new ControlPlane({
    paths,
    shared: etcd && { open: etcd.open, nodeName: config.node.name, critical: criticalSettings(config) },
    routes: [
      bootstrapRoute({
        paths,
        critical: criticalSettings(config),
        etcd: () => etcd?.member.members().then((members) => clientURLsOf(members)),
      }),
      snapshotRoute({
        paths,
        datastore: () => controlPlane.core.operations.store.datastore,
        store: choice.kind,
        nodeName: config.node.name,
        clock,
        log,
      }),
    ],
    bindAddress: config.bindAddress,
    port: config.httpsListenPort,
    advertiseAddress,
    serviceCIDR,
    nodePorts: config.serviceNodePortRange,
    // Without controllers nobody but kubectl would ask, and a bare API server has upstream's groups only.
    apiServer: config.apiServer,
    metricsAPI: !config.disabled.metricsAPI && !config.disabled.controllerManager,
    certificates,
    join: { tokens, cluster: () => clusterConfig(config, certificates) },
    ownNode: config.disabled.agent ? undefined : config.node.name,
    clock,
    log,
    onFatal,
  });
  await supervisor.start(controlPlane);
  await refuseOtherNetworks(controlPlane.client(LOOPBACK_USER), config);
  await supervisor.start(adminKubeconfig(config, certificates));
  log.info('the API is up', { port: config.httpsListenPort });
  const shared: SharedParts = { config, supervisor, controlPlane, clock, log };
  if (!config.disabled.clusterDNS) await announceDns(shared);
  if (!config.disabled.controllerManager) {
    await ensureLocalStorage(controlPlane.client(LOOPBACK_USER), !config.disabled.localStorage);
  }
  for (const component of leading(shared, certificates, etcd?.member)) await supervisor.start(component);
  await supervisor.start(manifests(shared, paths));
  if (!config.disabled.agent) {
    await claimOwnName(controlPlane, config.node.name, paths);
    if (etcd !== undefined) {
      const client = controlPlane.client(LOOPBACK_USER);
      const { memberName } = etcd.member;
      await supervisor.start(memberNote({ client, nodeName: config.node.name, memberName, clock, log }));
    }
    for (const component of node(shared, paths, nodeIP, certificates)) await supervisor.start(component);
  }
}

/** What machines that join are told of the cluster. */
function clusterConfig(config: ServerConfig, certificates: CertificateManager): ClusterConfig {
  const { clusterCIDR, serviceCIDR, clusterDNS, clusterDomain, flannelBackend, disabled } = config;
  return {
    clusterCIDR,
    serviceCIDR,
    clusterDNS,
    clusterDomain,
    flannelBackend,
    disabled: { kubeProxy: disabled.kubeProxy, clusterDNS: disabled.clusterDNS },
    clientCA: certificates.current.authorities['client-ca'].certificate,
    certificateLifetimeMs: certificates.lifetimeMs,
    version: VERSION,
  };
}

/** The server's own node has its name as every other has. Throws OperatorError when it is another machine's. */
async function claimOwnName(controlPlane: ControlPlane, name: string, paths: Paths): Promise<void> {
  const password = await ensureNodePassword(paths.nodePassword);
  if (await claimNodeName(controlPlane.client(LOOPBACK_USER), name, password)) return;
  throw new OperatorError(
    `the node name "${name}" belongs to another machine: give this one another with --node-name, or, if it takes the other's place, start it once with --disable-agent and \`kubectl delete node ${name}\``,
  );
}

/** A cluster whose DNS address was given to another Service meanwhile runs on, only its DNS has no Service. */
async function announceDns({ controlPlane, config, log }: SharedParts): Promise<void> {
  try {
    await ensureDnsService(controlPlane.client(LOOPBACK_USER), { clusterIP: config.clusterDNS });
  } catch (error) {
    log.error('the Service kube-system/kube-dns could not be made', { error: errorText(error) });
  }
}

/** What one server does for the whole cluster: this one, or in a cluster of several the one that is elected. */
function leading(shared: SharedParts, certificates: CertificateManager, member: EtcdMember | undefined): Component[] {
  const { config, controlPlane, clock, log } = shared;
  const { controllerManager: noControllers, scheduler: noScheduler } = config.disabled;
  if (member === undefined) {
    return [
      ...(noControllers ? [] : [controllerManager(shared, certificates)]),
      ...(noScheduler ? [] : [scheduler(shared)]),
    ];
  }
  const client = controlPlane.client(LOOPBACK_USER);
  const identity = `${config.node.name}_${randomUUID()}`;
  const elected = (lease: string, lead: () => Component): Component =>
    new LeaderElection({ client, clock, log: log.child('leader-election'), lease, identity, lead });
  const controllers = (): Component =>
    together('controllers', [
      controlPlane.eventExpiry(),
      new MemberWatch({ client, member, clock, log: log.child('etcd') }),
      ...(noControllers ? [] : [controllerManager(shared, certificates)]),
    ]);
  return [
    elected('kube-controller-manager', controllers),
    ...(noScheduler ? [] : [elected('kube-scheduler', () => scheduler(shared))]),
  ];
}

interface SharedParts {
  readonly config: ServerConfig;
  readonly supervisor: Supervisor;
  readonly controlPlane: ControlPlane;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What controllers have to know of the settings. */
export interface ControllerConfig
  extends Pick<ServerConfig, 'clusterCIDR' | 'serviceCIDR' | 'localStoragePath' | 'httpsListenPort'> {
  readonly disabled: Pick<ServerConfig['disabled'], 'localStorage' | 'serviceLB' | 'kubeProxy'>;
}

/** The controllers of this server, each with its own rights; `folders` reaches the disks of nodes. */
export function controllerManager(
  shared: Omit<SharedParts, 'config'> & { readonly config: ControllerConfig },
  certificates: CertificateManager,
  folders: Pick<NodeFolders, 'remove'> = new NodeFolders(certificates),
): Component {
  const { config, supervisor, controlPlane, clock, log } = shared;
  const { store } = controlPlane.core.operations;
  const { registry } = controlPlane.core;
  const manager = controlPlane.client({
    name: 'system:kube-controller-manager',
    groups: [ALL_AUTHENTICATED],
  });
  const userOf = (account: string): UserInfo => ({
    name: serviceAccountUsername('kube-system', account),
    groups: [...serviceAccountGroups('kube-system'), ALL_AUTHENTICATED],
  });
  return createControllerManager({
    client: manager,
    issueSecretToken: (request) => controlPlane.issueSecretToken(request),
    // As upstream: informers are shared and the manager's, writes are each controller's own.
    clientFor: (account) => controlPlane.client(userOf(account), manager),
    scalesFor: (account) => controlPlane.scales(userOf(account)),
    clock,
    log,
    recorderFor: (component) =>
      createEventRecorder({ client: manager, clock, log, component, signal: supervisor.signal }),
    rootCA: certificates.current.authorities['server-ca'].certificate,
    clusterCIDRs: [config.clusterCIDR],
    certificates: {
      mayCreate: ({ username = '', groups = [], extra }, subresource) =>
        controlPlane.core.authorizer.authorize({
          user: { name: username, groups, ...(extra === undefined ? {} : { extra }) },
          verb: 'create',
          apiGroup: 'certificates.k8s.io',
          resource: 'certificatesigningrequests',
          subresource,
          namespace: '',
          name: '',
        }).decision === 'allow',
      serviceCIDRs: [parseCIDR(config.serviceCIDR)].filter((cidr) => cidr !== undefined),
      authorities: () => {
        const { authorities } = certificates.current;
        return { client: authorities['client-ca'], server: authorities['server-ca'] };
      },
      lifetimeMs: certificates.lifetimeMs,
    },
    metadata: objectMetadata(store, registry),
    // Addresses at which no proxy answers would be of no use.
    serviceLB:
      config.disabled.serviceLB || config.disabled.kubeProxy
        ? undefined
        : { reservedPorts: [config.httpsListenPort, PORTS.kubelet] },
    localPath: config.disabled.localStorage
      ? undefined
      : { root: config.localStoragePath, removeFolder: (node, path) => folders.remove(node, path) },
    listNamespacedResources: () => namespacedResources(registry),
  });
}

/** The scheduler of this server. */
export function scheduler({ supervisor, controlPlane, clock, log }: Omit<SharedParts, 'config'>): Component {
  const client = controlPlane.client({ name: 'system:kube-scheduler', groups: [ALL_AUTHENTICATED] });
  const component = 'default-scheduler';
  const recorder = createEventRecorder({ client, clock, log, component, signal: supervisor.signal });
  return createScheduler({ client, clock, log: log.child('scheduler'), recorder });
}

/** What applies the manifests that the operator puts into the data directory. */
function manifests({ supervisor, controlPlane, clock, log }: SharedParts, paths: Paths): Component {
  const client = controlPlane.client(LOOPBACK_USER);
  const { registry } = controlPlane.core;
  return new Manifests({
    folder: paths.manifests,
    stateFile: paths.manifestsState,
    client,
    resources: () => Array.from(registry.all(), ({ type }) => type),
    recorder: createEventRecorder({ client, clock, log, component: 'deploy', signal: supervisor.signal }),
    clock,
    log,
  });
}

/** The node beside the control plane. */
function node(shared: SharedParts, paths: Paths, nodeIP: string, certificates: CertificateManager): Component[] {
  const { config, controlPlane, clock, log } = shared;
  // The node writes with its own rights; what it watches is in this process's memory already.
  const client = controlPlane.client(nodeUser(config.node.name), controlPlane.client(LOOPBACK_USER));
  return nodeComponents({
    paths,
    client,
    config: config.node,
    ip: nodeIP,
    labels: { 'node-role.kubernetes.io/control-plane': 'true' },
    cluster: clusterConfig(config, certificates),
    kubeletTls: kubeletTls(certificates.current),
    onKubeletTlsChange: (apply) => certificates.onChange((renewed) => apply(kubeletTls(renewed))),
    clock,
    log,
  });
}

function kubeletTls({ leaves, authorities }: Certificates): KubeletTls {
  const { key, certificate } = leaves['serving-kubelet'];
  return { key, cert: certificate, clientCA: authorities['client-ca'].certificate };
}

/** Writes the administrator's kubeconfig, again whenever the certificate in it is renewed. */
function adminKubeconfig(config: ServerConfig, certificates: CertificateManager): Component {
  const write = async (): Promise<void> => {
    const { leaves, authorities } = certificates.current;
    const { path, mode } = config.kubeconfig;
    const content = {
      server: `https://127.0.0.1:${config.httpsListenPort}`,
      certificateAuthority: authorities['server-ca'].certificate,
      client: leaves['client-admin'],
    };
    await writeKubeconfig(path, content, mode);
  };
  let unsubscribe = (): void => {};
  return {
    name: 'admin-kubeconfig',
    async start() {
      await write();
      unsubscribe = certificates.onChange(() => void write());
    },
    async ready() {},
    async stop() {
      unsubscribe();
    },
  };
}
