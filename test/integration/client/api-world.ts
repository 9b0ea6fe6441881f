import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LOOPBACK_USER } from '../../../pkg/apiserver/authn/user.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import { Supervisor } from '../../../pkg/base/component.ts';
import { parseCIDR } from '../../../pkg/base/ip.ts';
import { createLogger } from '../../../pkg/base/log.ts';
import { pathsFor } from '../../../pkg/base/paths.ts';
import type { Client } from '../../../pkg/client/client.ts';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../../../pkg/client/http/http-client.ts';
import type { LeafSpec } from '../../../pkg/pki/certificate-plan.ts';
import { CertificateManager } from '../../../pkg/pki/certificates.ts';
import { issueCertificate } from '../../../pkg/pki/issue.ts';
import { ControlPlane } from '../../../pkg/server/control-plane.ts';

/** The real control plane in this process, on a port of the loopback; it can be ended and started again. */
export class ApiWorld {
  readonly complaints: string[] = [];
  readonly log = createLogger({
    level: 'warn',
    write: (line) => this.complaints.push(line),
    now: () => new Date(),
  });
  readonly #dataDir: string;
  readonly #port: number;
  readonly #clients = new Set<HttpClient>();
  /** Timers of the server never keep a process alive. */
  readonly #alive = setInterval(() => {}, 2 ** 30);
  #supervisor: Supervisor | undefined;
  #controlPlane: ControlPlane | undefined;
  #certificates: CertificateManager | undefined;

  private constructor(dataDir: string, port: number) {
    this.#dataDir = dataDir;
    this.#port = port;
  }

  static async start(): Promise<ApiWorld> {
    const world = new ApiWorld(await mkdtemp(join(tmpdir(), 'kedge-client-')), await freePort());
    await world.up();
    return world;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** The in-process client of an administrator. */
  get inProcess(): Client {
    if (this.#controlPlane === undefined) throw new Error('the server is down');
    return this.#controlPlane.client(LOOPBACK_USER);
  }

  async up(): Promise<void> {
    const { log } = this;
    const clock = systemClock;
    const paths = pathsFor(this.#dataDir);
    const serviceCIDR = parseCIDR('10.43.0.0/16');
    if (serviceCIDR === undefined) throw new TypeError('not a CIDR');
    const supervisor = new Supervisor(log);
    const subject = {
      nodeName: 'test',
      nodeIPs: ['127.0.0.1'],
      serviceIP: '10.43.0.1',
      clusterDomain: 'cluster.local',
      tlsSans: [],
    };
    const certificates = new CertificateManager({ paths, subject, clock, log });
    await supervisor.start(certificates);
    const controlPlane = new ControlPlane({
      paths,
      bindAddress: '127.0.0.1',
      port: this.#port,
      // Validation wants an address that is not the loopback's.
      advertiseAddress: '192.0.2.1',
      serviceCIDR,
      nodePorts: { first: 30000, last: 32767 },
      metricsAPI: false,
      certificates,
      clock,
      log,
      onFatal: (error) => this.complaints.push(error.message),
    });
    await supervisor.start(controlPlane);
    this.#supervisor = supervisor;
    this.#certificates = certificates;
    this.#controlPlane = controlPlane;
  }

  async down(): Promise<void> {
    await this.#supervisor?.stop();
    this.#controlPlane = undefined;
  }

  /** A client over HTTP as `commonName` of `organizations`; objects of its informers are frozen. */
  async http(
    commonName = 'admin',
    organizations: readonly string[] = ['system:masters'],
    more: Partial<HttpClientOptions> = {},
  ): Promise<HttpClient> {
    if (this.#certificates === undefined) throw new Error('the server was never up');
    const { authorities } = this.#certificates.current;
    const leaf: LeafSpec = {
      name: 'client',
      issuer: 'client-ca',
      usage: 'client',
      commonName,
      organizations: [...organizations],
      dnsNames: [],
      ipAddresses: [],
    };
    const pair = await issueCertificate(leaf, authorities['client-ca'], Date.now());
    const client = createHttpClient({
      servers: [this.url],
      ca: authorities['server-ca'].certificate,
      credentials: { cert: pair.certificate, key: pair.key },
      userAgent: 'kedge-test',
      clock: systemClock,
      log: this.log,
      freeze: true,
      ...more,
    });
    this.#clients.add(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#supervisor?.stop();
    clearInterval(this.#alive);
    await rm(this.#dataDir, { recursive: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
