import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { before, describe, test } from 'node:test';
import { chooseNodeAddress } from '../../pkg/host/node-address.ts';
import { fetchPage } from './lib/fetch-page.ts';
import { deployment, pod, SERVE_HOSTNAME, service, shell } from './lib/manifests.ts';
import { Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';
import { useKedge } from './lib/use-kedge.ts';

/** What a Service's ClusterIP, its NodePort and its names lead to, with real packets. */
describe('Services', () => {
  const kedge = useKedge();
  let ns: Namespace;
  let names: string[];
  let clusterIP: string;

  before(async () => {
    ns = await Namespace.create(kedge(), 'shop');
    await ns.apply(
      deployment('web', 3, SERVE_HOSTNAME),
      service('web', 'web', { type: 'NodePort' }),
      service('headless', 'web', { clusterIP: 'None' }),
      service('empty', 'nobody'),
      pod('client', { containers: [shell('main', 'exec sleep 3600')] }),
    );
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    await ns.waitReady('client');
    names = (await ns.kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
    clusterIP = await ns.read('service/web', '.spec.clusterIP');
    await until('the Service leads to its Pods', async () => names.includes(await fetchPage(`http://${clusterIP}/`)));
  });

  const inPod = (...argv: readonly string[]): Promise<string> => ns.kubectl('exec', 'client', '--', ...argv);

  test('the ClusterIP spreads requests over all three Pods', async () => {
    const seen = new Map<string, number>();
    for (let count = 0; count < 60; count++) {
      const name = await fetchPage(`http://${clusterIP}/`);
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
    assert.deepEqual([...seen.keys()].sort(), [...names].sort());
    // 60 throws of a fair die with three sides: fewer than five for one of them happens once in ten million runs.
    for (const [name, count] of seen) assert.ok(count >= 5, `${name} had only ${count} of 60 requests`);
  });

  test('another Pod reaches the Service by its address and by its names', async () => {
    for (const host of [clusterIP, 'web', 'web.shop', 'web.shop.svc.cluster.local']) {
      assert.ok(names.includes(await inPod('wget', '-qO-', `http://${host}`)), `http://${host} inside a Pod`);
    }
  });

  test('the NodePort serves on the addresses of the node', async () => {
    const port = await ns.read('service/web', '.spec.ports[0].nodePort');
    const address = chooseNodeAddress(networkInterfaces(), '');
    assert.ok(address !== undefined, 'this machine has an address');
    assert.ok(names.includes(await fetchPage(`http://${address}:${port}/`)));
    assert.ok(names.includes(await fetchPage(`http://127.0.0.1:${port}/`)));
  });

  test('a Pod reaches itself through its own Service', async () => {
    const [own = ''] = names;
    await ns.apply(service('self', '', { selector: { 'statefulset.kubernetes.io/pod-name': own } }));
    await ns.kubectl('label', 'pod', own, `statefulset.kubernetes.io/pod-name=${own}`);
    const address = await ns.read('service/self', '.spec.clusterIP');
    await until('the Service leads to its one Pod', async () => (await fetchPage(`http://${address}/`)) === own);
    assert.equal(await ns.kubectl('exec', own, '--', 'wget', '-qO-', 'http://self'), own);
  });

  test('a Service without endpoints refuses at once', async () => {
    const address = await ns.read('service/empty', '.spec.clusterIP');
    await assert.rejects(fetchPage(`http://${address}/`), { code: 'ECONNREFUSED' });
  });

  test('a headless Service names the addresses of its Pods', async () => {
    const addresses = await ns.kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].status.podIP}');
    const answer = await inPod('nslookup', 'headless.shop.svc.cluster.local');
    for (const address of addresses.split(' ')) assert.ok(answer.includes(address), `${address} in ${answer}`);
  });

  test('Pods reach the API server by the Service "kubernetes"', async () => {
    assert.match(await inPod('nslookup', 'kubernetes.default.svc.cluster.local'), /Address: +10\.43\.0\.1\b/);
    // No TLS client in the image: that the port accepts a connection through the Service is what is asked here.
    assert.equal(await inPod('sh', '-c', 'echo | nc -w 3 10.43.0.1 443 >/dev/null && echo open'), 'open');
  });

  test('a Pod that is deleted gets no more requests, its successor does', async () => {
    const [gone = ''] = names;
    await ns.kubectl('delete', 'pod', gone, '--wait');
    await ns.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    const now = await ns.kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}');
    const expected = now.split(' ').sort();
    await until('all Pods serve', async () => {
      const seen = new Set<string>();
      for (let count = 0; count < 30; count++) seen.add(await fetchPage(`http://${clusterIP}/`));
      assert.deepEqual([...seen].sort(), expected);
      return true;
    });
  });
});
