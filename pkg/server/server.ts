import { hostname } from 'node:os';
import { systemClock } from '../base/clock.ts';
import { type Component, Supervisor } from '../base/component.ts';
import { addressAt, formatAddress, parseCIDR } from '../base/ip.ts';
import { createLogger, errorText, type Logger } from '../base/log.ts';
import { pathsFor } from '../base/paths.ts';
import { writeKubeconfig } from '../bootstrap/kubeconfig.ts';
import { CertificateManager } from '../pki/certificates.ts';
import type { ServerConfig } from './config.ts';
import { ControlPlane } from './control-plane.ts';

/** Runs the server until it is asked to end. Throws OperatorError when it cannot start. */
export async function runServer(config: ServerConfig): Promise<void> {
  const log = createLogger({
    level: config.debug ? 'debug' : 'info',
    write: (line) => process.stderr.write(line),
    now: () => new Date(),
  });
  const supervisor = new Supervisor(log);
  const ended = Promise.withResolvers<number>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ended.resolve(0));
  const fatal = (error: Error): void => {
    log.error('cannot go on', { error: errorText(error) });
    ended.resolve(1);
  };
  // Timers never keep the process alive: this does, while the server is to run.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    await startServer(config, supervisor, log, fatal);
    process.exitCode = await ended.promise;
  } finally {
    await supervisor.stop();
    clearInterval(alive);
  }
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
  const advertiseAddress = config.advertiseAddress ?? config.node.ip ?? '127.0.0.1';
  const certificates = new CertificateManager({
    paths,
    subject: {
      nodeName: config.node.name || hostname(),
      nodeIPs: [advertiseAddress],
      serviceIP: formatAddress(addressAt(serviceCIDR, 1n)),
      clusterDomain: config.clusterDomain,
      tlsSans: config.tlsSANs,
    },
    clock,
    log: log.child('certificates'),
  });
  await supervisor.start(certificates);
  const controlPlane = new ControlPlane({
    paths,
    bindAddress: config.bindAddress,
    port: config.httpsListenPort,
    advertiseAddress,
    serviceCIDR,
    nodePorts: config.serviceNodePortRange,
    certificates,
    clock,
    log,
    onFatal,
  });
  await supervisor.start(controlPlane);
  await supervisor.start(adminKubeconfig(config, certificates));
  log.info('kedge server is up', { port: config.httpsListenPort });
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
