import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { ensureEtcd } from '../../../packaging/dev/lib/etcd.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import { silentLogger } from '../../../pkg/base/log.ts';
import { EtcdClient } from '../../../pkg/datastore/etcd/client.ts';
import { type EtcdDatastore, openEtcdDatastore } from '../../../pkg/datastore/etcd/etcd-datastore.ts';
import { clientURL, type EtcdConfig, etcdLayout, peerURL } from '../../../pkg/etcd/layout.ts';
import { spawnEtcd, stopEtcd } from '../../../pkg/etcd/process.ts';
import type { DetachedProcess } from '../../../pkg/host/detached-process.ts';
import { type EtcdCertificates, ensureEtcdCertificates } from '../../../pkg/pki/etcd-certificates.ts';

const ADDRESS = '127.0.0.1';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A real etcd of one member, in a temporary directory. */
export class TestEtcd {
  readonly folder: string;
  readonly config: EtcdConfig;
  readonly #program: string;
  readonly #certificates: EtcdCertificates;
  #process: DetachedProcess | undefined;

  private constructor(folder: string, config: EtcdConfig, program: string, certificates: EtcdCertificates) {
    this.folder = folder;
    this.config = config;
    this.#program = program;
    this.#certificates = certificates;
  }

  static async start(): Promise<TestEtcd> {
    const folder = mkdtempSync(join(tmpdir(), 'kedge-etcd-'));
    const certificates = await ensureEtcdCertificates({
      directory: join(folder, 'tls'),
      nodeName: 'test',
      addresses: [],
      clock: systemClock,
      log: silentLogger,
    });
    const ports = { client: await freePort(), peer: await freePort() };
    const layout = etcdLayout(join(folder, 'etcd'));
    mkdirSync(layout.root);
    const name = 'test-1';
    const config: EtcdConfig = {
      layout,
      name,
      address: ADDRESS,
      ports,
      initialCluster: [`${name}=${peerURL(ADDRESS, ports)}`],
      state: 'new',
      forceNewCluster: false,
      certificates: certificates.files,
    };
    const etcd = new TestEtcd(folder, config, await ensureEtcd(), certificates);
    await etcd.run();
    return etcd;
  }

  async run(): Promise<void> {
    this.#process = await spawnEtcd(this.#program, this.config, () => {});
  }

  /** Kills it as a power cut would. */
  async kill(): Promise<void> {
    const { pid } = this.#process ?? {};
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    if (this.#process !== undefined) await stopEtcd(this.#process, systemClock);
  }

  client(): EtcdClient {
    const { client, serverCA } = this.#certificates;
    const context = createSecureContext({ ca: serverCA, cert: client.certificate, key: client.key });
    return new EtcdClient({ endpoint: clientURL(ADDRESS, this.config.ports), secureContext: () => context });
  }

  datastore(): Promise<EtcdDatastore> {
    return openEtcdDatastore({
      client: this.client(),
      log: silentLogger,
      clock: systemClock,
      onFatal: (error) => {
        throw error;
      },
    });
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
