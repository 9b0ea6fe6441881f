import { systemClock } from '../base/clock.ts';
import type { Supervisor } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import { pathsFor } from '../base/paths.ts';
import type { ClusterConfig } from '../bootstrap/join-protocol.ts';
import { createHttpClient } from '../client/http/http-client.ts';
import { checkDataDirectory, claimDataDirectory } from '../host/data-directory.ts';
import { exec } from '../host/exec.ts';
import { detectNodeAddress } from '../host/node-address.ts';
import type { KubeletTls } from '../kubelet/server.ts';
import { WatchedReferences } from '../kubelet/watched-references.ts';
import { refuseOverlap } from '../network/overlap.ts';
import { nodeComponents } from './agent.ts';
import type { AgentConfig } from './config.ts';
import { joinCluster, writeMembership } from './membership.ts';
import { nodePreflight, requireRoot } from './preflight.ts';
import { processLog, runParts } from './run-process.ts';
import { createServerAddresses } from './server-addresses.ts';
import { USER_AGENT } from './user-agent.ts';

/** Runs a node of a cluster until it is asked to end. Throws OperatorError when it cannot start. */
export async function runAgent(config: AgentConfig): Promise<void> {
  requireRoot('kedge agent');
  await checkDataDirectory(config.dataDir);
  await nodePreflight(config.node);
  const log = processLog(config.debug);
  await runParts('kedge agent', log, (supervisor) => startAgent(config, supervisor, log));
}

async function startAgent(config: AgentConfig, supervisor: Supervisor, log: Logger): Promise<void> {
  const clock = systemClock;
  const paths = pathsFor(config.dataDir);
  const { node, server, token } = config;
  const nodeIP = node.ip ?? detectNodeAddress() ?? '127.0.0.1';
  const addresses = node.externalIP === undefined ? [nodeIP] : [nodeIP, node.externalIP];
  const { signal } = supervisor;
  const accept = ({ clusterCIDR, serviceCIDR }: ClusterConfig): Promise<void> =>
    refuseOverlap({ clusterCIDRs: [clusterCIDR], serviceCIDRs: [serviceCIDR] }, exec);
  const joining = { paths, server, token, nodeName: node.name, addresses, accept, clock, log };
  const joined = await joinCluster(joining, signal);
  const { certificates, membership } = joined;
  await claimDataDirectory(config.dataDir);
  const { cluster, serverCA, servers } = membership;
  const credentials = (): { cert: string; key: string } | Record<string, never> => {
    const { client } = certificates;
    return client === undefined ? {} : { cert: client.certificate, key: client.key };
  };
  const client = createHttpClient({
    servers,
    ca: serverCA,
    credentials: credentials(),
    userAgent: USER_AGENT,
    clock,
    log,
  });
  certificates.onChange(() => client.setCredentials(credentials()));
  certificates.use(client);
  // Last to stop: everything else talks to the servers through it.
  await supervisor.start({
    name: 'api-client',
    start: () => Promise.resolve(),
    ready: () => Promise.resolve(),
    stop: async () => client.close(),
  });
  const onChange = (known: readonly string[]): void => {
    writeMembership(paths, { ...membership, servers: [...known] }).catch((error: unknown) =>
      log.warn('the addresses of servers are not remembered', { error: errorText(error) }),
    );
  };
  await supervisor.start(createServerAddresses({ client, given: servers, onChange }));
  await supervisor.start(certificates);
  const tls = (): KubeletTls => {
    const { certificate, key } = certificates.serving;
    return { cert: certificate, key, clientCA: cluster.clientCA };
  };
  const components = nodeComponents({
    paths,
    client,
    references: new WatchedReferences({ client, clock }),
    config: node,
    ip: nodeIP,
    labels: {},
    cluster,
    kubeletTls: tls(),
    onKubeletTlsChange: (apply) => certificates.onChange(() => apply(tls())),
    clock,
    log,
  });
  for (const component of components) await supervisor.start(component);
}
