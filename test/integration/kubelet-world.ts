/** A node to test the kubelet on: kedge's own containerd, control plane and kubelet, apart from anything else here. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUSYBOX_IMAGE, busyboxArchive } from '../../packaging/images/busybox.ts';
import { buildPause } from '../../packaging/pause/build.ts';
import { Containerd } from '../../pkg/agent/containerd.ts';
import { ImageImporter } from '../../pkg/agent/images.ts';
import { teardown } from '../../pkg/agent/teardown.ts';
import type { Container, Pod, PodSpec } from '../../pkg/api/generated/core-v1.ts';
import { configMaps, namespaces, pods, serviceAccounts } from '../../pkg/api/resources.ts';
import type { Input } from '../../pkg/api/types.ts';
import { isStatusReason } from '../../pkg/apimachinery/status-error.ts';
import { ALL_AUTHENTICATED, LOOPBACK_USER, SYSTEM_NODES } from '../../pkg/apiserver/authn/user.ts';
import { systemClock } from '../../pkg/base/clock.ts';
import type { Component } from '../../pkg/base/component.ts';
import { parseCIDR } from '../../pkg/base/ip.ts';
import { createLogger } from '../../pkg/base/log.ts';
import { pathsFor } from '../../pkg/base/paths.ts';
import type { Client } from '../../pkg/client/client.ts';
import { createKubelet } from '../../pkg/kubelet/kubelet.ts';
import { CertificateManager } from '../../pkg/pki/certificates.ts';
import { ControlPlane } from '../../pkg/server/control-plane.ts';

/** Another containerd than the system's: a folder with containerd, ctr and the shim. */
const programDirs = (process.env['KEDGE_TEST_CONTAINERD'] ?? '').split(':').filter((dir) => dir !== '');

export const NODE = 'test-node';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

export class KubeletWorld {
  readonly base = mkdtempSync(join(tmpdir(), 'kedge-kubelet-'));
  readonly tag: string;
  readonly lines: string[] = [];
  readonly log = createLogger({ level: 'debug', write: (line) => this.lines.push(line), now: () => new Date() });
  readonly dataDir = join(this.base, 'data');
  readonly containerd: Containerd;
  readonly #runDir = join(this.base, 'run');
  readonly #stop = new AbortController();
  #importer: ImageImporter | undefined;
  #certificates: CertificateManager | undefined;
  #controlPlane: ControlPlane | undefined;
  #kubelet: Component | undefined;
  #kubeletStop = new AbortController();
  #kubeletPort = 0;

  constructor(prefix: string) {
    this.tag = `${prefix}${process.pid % 100000}`;
    const { dataDir, log } = this;
    this.containerd = new Containerd({ dataDir, runDir: this.#runDir, log, programDirs });
  }

  /** Acts as the administrator. */
  get client(): Client {
    return this.#plane.client(LOOPBACK_USER);
  }

  get #plane(): ControlPlane {
    assert.ok(this.#controlPlane, 'the control plane has been started');
    return this.#controlPlane;
  }

  async start(subnet: string): Promise<void> {
    buildPause();
    const paths = pathsFor(this.dataDir);
    mkdirSync(paths.cniConf, { recursive: true });
    mkdirSync(paths.images, { recursive: true });
    const ipam = { type: 'host-local', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] };
    const plugins = [{ type: 'bridge', bridge: this.tag, isGateway: true, ipam }];
    const conf = { cniVersion: '1.0.0', name: this.tag, plugins };
    writeFileSync(join(paths.cniConf, '10-test.conflist'), JSON.stringify(conf));
    writeFileSync(join(paths.images, 'busybox.tar'), busyboxArchive());
    const { signal } = this.#stop;
    await this.containerd.start(signal);
    const { containerd, dataDir, log } = this;
    this.#importer = new ImageImporter({ dataDir, containerd, log });
    await this.#importer.start();
    await this.#importer.settled();
    const serviceCIDR = parseCIDR('10.43.0.0/16');
    assert.ok(serviceCIDR);
    const subject = {
      nodeName: NODE,
      nodeIPs: ['127.0.0.1'],
      serviceIP: '10.43.0.1',
      clusterDomain: 'cluster.local',
      tlsSans: [],
    };
    this.#certificates = new CertificateManager({ paths, subject, clock: systemClock, log });
    await this.#certificates.start(signal);
    this.#controlPlane = new ControlPlane({
      paths,
      bindAddress: '127.0.0.1',
      port: await freePort(),
      advertiseAddress: '192.0.2.1',
      serviceCIDR,
      nodePorts: { first: 30000, last: 32767 },
      metricsAPI: false,
      certificates: this.#certificates,
      clock: systemClock,
      log,
      onFatal: (error) => assert.fail(error),
    });
    await this.#controlPlane.start(signal);
    this.#kubeletPort = await freePort();
    const authority = this.#certificates.current.authorities['server-ca'].certificate;
    await this.ensure(async () => {
      await this.client.create(serviceAccounts, { metadata: { name: 'default', namespace: 'default' } });
    });
    await this.ensure(async () => {
      const data = { 'ca.crt': authority };
      await this.client.create(configMaps, { metadata: { name: 'kube-root-ca.crt', namespace: 'default' }, data });
    });
    await this.ensure(async () => {
      await this.client.create(namespaces, { metadata: { name: 'kube-node-lease' } });
    });
  }

  async ensure(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isStatusReason(error, 'AlreadyExists')) throw error;
    }
  }

  async startKubelet(): Promise<void> {
    assert.ok(this.#certificates);
    const { leaves, authorities } = this.#certificates.current;
    const user = { name: `system:node:${NODE}`, groups: [SYSTEM_NODES, ALL_AUTHENTICATED] };
    this.#kubeletStop = new AbortController();
    this.#kubelet = createKubelet({
      client: this.#plane.client(user, this.client),
      cri: () => this.containerd.client,
      log: this.log,
      node: {
        name: NODE,
        ips: ['127.0.0.1'],
        labels: {},
        taints: [],
        maxPods: 110,
        port: this.#kubeletPort,
        version: 'v1.36.4+kedge-test',
      },
      root: pathsFor(this.dataDir).kubelet,
      tls: { ...pem(leaves['serving-kubelet']), clientCA: authorities['client-ca'].certificate },
      clusterDns: { servers: ['10.43.0.10'], domain: 'cluster.local' },
      podLogDir: join(this.base, 'pod-logs'),
      containerLogDir: join(this.base, 'container-logs'),
      cgroups: this.containerd.runtime.host.cgroups,
      cgroupRoot: `/${this.tag}/kubepods`,
    });
    await this.#kubelet.start(this.#kubeletStop.signal);
    await this.#kubelet.ready();
  }

  async stopKubelet(): Promise<void> {
    this.#kubeletStop.abort();
    await this.#kubelet?.stop();
    this.#kubelet = undefined;
  }

  /** How the API server reaches the kubelet's server. */
  kubeletAccess(): { host: string; port: number; key: string; cert: string; ca: string } {
    assert.ok(this.#certificates);
    const { leaves, authorities } = this.#certificates.current;
    const ca = authorities['server-ca'].certificate;
    return { host: '127.0.0.1', port: this.#kubeletPort, ...pem(leaves['client-kube-apiserver']), ca };
  }

  /** Asks the kubelet's server as the API server does; `onData` gets the body as it comes. */
  kubeletGet(
    path: string,
    onData?: (text: string) => void,
  ): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const sent = request({ ...this.kubeletAccess(), path, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          onData?.(chunk.toString('utf8'));
        });
        const finish = (): void =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
        answer.on('end', finish);
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  /** Creates a Pod of one container `app` (`parts` on top of a shell command) bound to the node. */
  createPod(name: string, script: string, parts: Input<Container> = {}, spec: Input<PodSpec> = {}): Promise<Pod> {
    const app = { name: 'app', image: BUSYBOX_IMAGE, command: ['sh', '-c', script], ...parts };
    return this.client.create(pods, {
      metadata: { name, namespace: 'default', labels: { app: name } },
      spec: { nodeName: NODE, terminationGracePeriodSeconds: 2, containers: [app], ...spec },
    });
  }

  /** Resolves with the Pod as soon as `holds` is true of it; fails after `seconds`. */
  async pod(name: string, what: string, holds: (pod: Pod) => boolean, seconds = 30): Promise<Pod> {
    const informer = this.client.informer(pods);
    const found = Promise.withResolvers<Pod>();
    const limit = setTimeout(() => {
      const status = JSON.stringify(informer.get(name, 'default')?.status, undefined, 1);
      found.reject(new Error(`${name}: ${what}\n${status}\n${this.lines.slice(-60).join('')}`));
    }, seconds * 1000);
    const unsubscribe = informer.subscribe((event) => {
      if (event.type !== 'deleted' && event.object.metadata.name === name && holds(event.object))
        found.resolve(event.object);
    });
    try {
      return await found.promise;
    } finally {
      clearTimeout(limit);
      unsubscribe();
    }
  }

  running(name: string): Promise<Pod> {
    return this.pod(name, 'Running', (pod) => pod.status.phase === 'Running');
  }

  /** Deletes the Pod and waits until it is gone from the API. */
  async deletePod(name: string): Promise<void> {
    await this.client.delete(pods, name, { namespace: 'default' });
    await this.until(`${name} is gone`, () => this.client.informer(pods).get(name, 'default') === undefined);
  }

  async until(what: string, holds: () => boolean | Promise<boolean>, seconds = 30): Promise<void> {
    const limit = Date.now() + seconds * 1000;
    while (!(await holds())) {
      if (Date.now() > limit) assert.fail(`${what}\n${this.lines.slice(-60).join('')}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Runs a command in a container of a Pod and returns its output. */
  async exec(pod: Pod, ...cmd: string[]): Promise<string> {
    const id = pod.status.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? '';
    const { stdout, stderr, exitCode } = await this.containerd.client.runtime.execSync({
      containerId: id,
      cmd,
      timeout: 10,
    });
    assert.equal(exitCode, 0, Buffer.from(stderr).toString('utf8'));
    return Buffer.from(stdout).toString('utf8').trim();
  }

  async close(): Promise<void> {
    await this.stopKubelet();
    this.#stop.abort();
    await this.#controlPlane?.stop();
    await this.#certificates?.stop();
    await this.#importer?.stop();
    await this.containerd.stop();
    const { dataDir, log, tag } = this;
    await teardown({
      dataDir,
      runDir: this.#runDir,
      log,
      networkDevices: [tag],
      cniNetworks: [tag],
      cgroups: [tag],
      nftTables: [],
    });
    rmSync(this.base, { recursive: true, force: true });
  }
}

function pem(pair: { readonly key: string; readonly certificate: string }): { key: string; cert: string } {
  return { key: pair.key, cert: pair.certificate };
}
