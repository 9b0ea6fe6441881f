import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { HostCluster } from './lib/host-cluster.ts';
import { type Host, Lan } from './lib/hosts.ts';
import { assertNothingLeft, type MachineState, readMachine } from './lib/machine.ts';
import { pod, service, shell } from './lib/manifests.ts';
import { type Manifest, Namespace } from './lib/namespace.ts';
import { until } from './lib/until.ts';

/** Answers a request with the Pod's name and the address it came from. */
const SERVE_WHO =
  'mkdir -p /tmp/www/cgi-bin && cd /tmp/www && ' +
  'printf "#!/bin/sh\\necho Content-type: text/plain\\necho\\necho $(hostname) \\$REMOTE_ADDR\\n" >cgi-bin/who && ' +
  'chmod +x cgi-bin/who && exec httpd -f -p 0.0.0.0:8080 -h /tmp/www';
const PAGE = '/cgi-bin/who';
/** Of certificates: they are renewed after two thirds of it. */
const LIFETIME_MS = 150_000;
const NODES = ['one', 'two', 'three'] as const;
type NodeName = (typeof NODES)[number];

function webPod(node: NodeName): Manifest {
  const spec = { nodeSelector: { 'kubernetes.io/hostname': node }, containers: [shell('main', SERVE_WHO)] };
  return pod(`web-${node}`, spec, { labels: { app: 'web', on: node } });
}

/** Where packets between machines come out: three nodes and a machine that is none, each with a Pod or without. */
describe('network across nodes', () => {
  const hosts = new Map<string, Host>();
  const podIPs = new Map<string, string>();
  let machine: MachineState;
  let lan: Lan;
  let cluster: HostCluster;
  let ns: Namespace;

  const hostOf = (name: string): Host => {
    const host = hosts.get(name);
    assert.ok(host !== undefined, `there is a host ${name}`);
    return host;
  };
  const podIP = (node: NodeName): string => podIPs.get(node) ?? '';

  function startAgent(name: NodeName): void {
    const token = readFileSync(hostOf('one').path('/var/lib/kedge/server/token'), 'utf8').trim();
    hostOf(name).startKedge(['agent', '--server', `https://${hostOf('one').address}:6443`, '--token', token]);
  }

  before(async () => {
    machine = await readMachine();
    lan = await Lan.create();
    for (const name of [...NODES, 'outside']) hosts.set(name, await lan.addHost(name));
    cluster = await HostCluster.at(hostOf('one'));
    hostOf('one').startKedge(['server', `--certificate-lifetime=${LIFETIME_MS / 1000}s`]);
    await cluster.waitForNodes(['one']);
    for (const name of ['two', 'three'] as const) startAgent(name);
    await cluster.waitForNodes(NODES);
    ns = await Namespace.create(cluster, 'net');
    const affinity = { type: 'NodePort', sessionAffinity: 'ClientIP' };
    await ns.apply(
      ...NODES.map(webPod),
      service('web', 'web', { type: 'NodePort' }),
      service('only-two', 'web', { type: 'NodePort', selector: { app: 'web', on: 'two' } }),
      service('local', 'web', { type: 'NodePort', externalTrafficPolicy: 'Local', selector: { on: 'two' } }),
      service('sticky', 'web', affinity),
    );
    for (const node of NODES) {
      await ns.waitReady(`web-${node}`, 60_000);
      podIPs.set(node, await ns.read(`pod/web-${node}`, '.status.podIP'));
    }
    const { ip } = await addressOf('web');
    for (const name of NODES) {
      const all = async (): Promise<boolean> => servers(await fromHost(name, ip, 80, 12)).length === NODES.length;
      await until(`the Service leads from ${name} to all Pods`, all);
    }
  });

  after(async () => {
    await lan?.close();
    if (machine !== undefined) await assertNothingLeft(machine);
  });

  async function addressOf(name: string): Promise<{ ip: string; nodePort: string }> {
    const text = await ns.read(`service/${name}`, '.spec.clusterIP}{" "}{.spec.ports[0].nodePort');
    const [ip = '', nodePort = ''] = text.split(' ');
    return { ip, nodePort };
  }

  /** The answers to `count` requests, `<Pod> <client address>`; `-` for a request that was not answered. */
  async function fromHost(name: string, address: string, port: number | string, count = 1): Promise<string[]> {
    const script = `for n in $(seq ${count}); do curl -s --max-time 2 http://${address}:${port}${PAGE} || echo -; done`;
    return (await hostOf(name).mustRun(['sh', '-c', script])).trim().split('\n');
  }

  async function fromPod(node: NodeName, address: string, port: number | string, count = 1): Promise<string[]> {
    // The time limit of busybox' own wget crashes it.
    const ask = `timeout 3 wget -qO- http://${address}:${port}${PAGE} || echo -`;
    const script = `for n in $(seq ${count}); do ${ask}; done`;
    return (await ns.kubectl('exec', `web-${node}`, '--', 'sh', '-c', script)).trim().split('\n');
  }

  const servers = (answers: readonly string[]): string[] =>
    [...new Set(answers.map((answer) => answer.split(' ')[0] ?? ''))].sort();
  const ALL = NODES.map((name) => `web-${name}`).sort();

  test('Pods reach Pods of every other node and show their own address; hosts reach them too', async () => {
    for (const from of NODES) {
      for (const to of NODES.filter((other) => other !== from)) {
        assert.deepEqual(await fromPod(from, podIP(to), 8080), [`web-${to} ${podIP(from)}`], `${from} to ${to}`);
        assert.deepEqual(servers(await fromHost(from, podIP(to), 8080)), [`web-${to}`], `host ${from} to ${to}`);
      }
    }
    assert.equal(new Set(NODES.map((name) => podIP(name).split('.')[2])).size, 3, 'every node has a block of its own');
    const [link] = JSON.parse(
      await ns.kubectl('exec', 'web-two', '--', 'sh', '-c', 'echo [$(cat /sys/class/net/eth0/mtu)]'),
    );
    assert.equal(link, 1450);
  });

  test('Nodes announce themselves as flannel does', async () => {
    const path = '{.metadata.annotations}{"\\n"}{.status.conditions[?(@.type=="NetworkUnavailable")].reason}';
    const text = await cluster.kubectl(['get', 'node', 'two', '-o', `jsonpath=${path}`]);
    assert.match(text, /"flannel\.alpha\.coreos\.com\/backend-type":"vxlan"/);
    assert.match(text, new RegExp(`"flannel.alpha.coreos.com/public-ip":"${hostOf('two').address}"`));
    assert.match(text, /\nFlannelIsUp$/);
  });

  test('a cluster IP leads from Pods and hosts of every node to Pods of all', async () => {
    const { ip } = await addressOf('web');
    for (const from of NODES) {
      assert.deepEqual(servers(await fromPod(from, ip, 80, 30)), ALL, `from the Pod on ${from}`);
      assert.deepEqual(servers(await fromHost(from, ip, 80, 30)), ALL, `from ${from}`);
    }
  });

  test('names are answered on every node', async () => {
    const { ip } = await addressOf('web');
    for (const node of NODES) {
      const answer = await ns.kubectl('exec', `web-${node}`, '--', 'nslookup', 'web.net.svc.cluster.local');
      assert.ok(answer.includes(ip), `${ip} in ${answer}`);
      assert.deepEqual(servers(await fromPod(node, 'only-two', 80)), ['web-two'], `from the Pod on ${node}`);
    }
  });

  test('a node port leads at every node, from every machine, to a Pod of one node', async () => {
    const { nodePort } = await addressOf('only-two');
    for (const to of NODES) {
      const { address } = hostOf(to);
      for (const from of NODES) {
        assert.deepEqual(servers(await fromPod(from, address, nodePort)), ['web-two'], `Pod on ${from} at ${to}`);
      }
      for (const from of hosts.keys()) {
        assert.deepEqual(servers(await fromHost(from, address, nodePort)), ['web-two'], `${from} at ${to}`);
      }
    }
    assert.deepEqual(servers(await fromHost('three', '127.0.0.1', nodePort)), ['web-two']);
  });

  test('externalTrafficPolicy Local: the node with the Pod serves and shows the client, others do not', async () => {
    const { ip, nodePort } = await addressOf('local');
    const client = hostOf('outside').address;
    assert.deepEqual(await fromHost('outside', hostOf('two').address, nodePort), [`web-two ${client}`]);
    assert.deepEqual(await fromHost('outside', hostOf('three').address, nodePort), ['-']);
    assert.deepEqual(servers(await fromPod('three', ip, 80)), ['web-two']);
  });

  test('session affinity keeps each client with one Pod', async () => {
    const { ip, nodePort } = await addressOf('sticky');
    const stays = (answers: readonly string[], from: string): void => {
      const [first = '', ...more] = servers(answers);
      assert.ok(ALL.includes(first) && more.length === 0, `${from}: ${answers}`);
    };
    for (const from of NODES) stays(await fromPod(from, ip, 80, 10), `Pod on ${from}`);
    stays(await fromHost('outside', hostOf('three').address, nodePort, 10), 'outside');
  });

  test('Endpoints written by hand lead to a Pod of another node', async () => {
    const ports = [{ name: 'http', port: 80, targetPort: 8080 }];
    const metadata = { name: 'by-hand' };
    await ns.apply(
      { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports } },
      {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata,
        subsets: [{ addresses: [{ ip: podIP('three') }], ports: [{ name: 'http', port: 8080 }] }],
      },
    );
    const { ip } = await addressOf('by-hand');
    await until('the Service leads there', async () => servers(await fromPod('two', ip, 80))[0] === 'web-three');
  });

  test('a restarted node keeps its hardware address; packets pass meanwhile', async () => {
    const two = hostOf('two');
    const mac = (): Promise<string> => two.mustRun(['cat', '/sys/class/net/flannel.1/address']);
    const before = await mac();
    await two.kedge.stop('SIGKILL');
    assert.deepEqual(servers(await fromPod('one', podIP('two'), 8080)), ['web-two']);
    await two.mustRun(['ip', 'link', 'delete', 'flannel.1']);
    startAgent('two');
    await until(
      'Pods are reached again',
      async () => servers(await fromPod('one', podIP('two'), 8080))[0] === 'web-two',
    );
    assert.equal(await mac(), before);
  });

  test('rules and routes that others take away come back', async () => {
    const one = hostOf('one');
    await one.mustRun(['ip', 'route', 'flush', 'dev', 'flannel.1']);
    const reached = async (): Promise<boolean> =>
      servers(await fromPod('one', podIP('three'), 8080))[0] === 'web-three';
    await until('the route is back', reached);
    await one.mustRun(['nft', 'delete', 'table', 'ip', 'kedge-pods']);
    const ruled = async (): Promise<boolean> => (await one.mustRun(['nft', 'list', 'tables'])).includes('kedge-pods');
    await until('the rules of Pods are back', ruled);
  });

  test('a LoadBalancer Service has the addresses of all nodes and serves at each', async () => {
    await ns.apply(service('balancer', 'web', { type: 'LoadBalancer', ports: [{ port: 8088, targetPort: 8080 }] }));
    const addresses = NODES.map((name) => hostOf(name).address).sort();
    await until('it has all addresses', async () => {
      const told = await ns.read('service/balancer', '.status.loadBalancer.ingress[*].ip');
      return told.split(' ').sort().join() === addresses.join();
    });
    for (const address of addresses) {
      const all = async (): Promise<boolean> =>
        servers(await fromHost('outside', address, 8088, 12)).length === NODES.length;
      await until(`${address} leads from outside to all Pods`, all);
    }
    await ns.kubectl('delete', 'service', 'balancer');
  });

  test('certificates are renewed while all goes on', async () => {
    const files = [
      ['one', 'server/tls/serving-kube-apiserver'],
      ['one', 'server/tls/client-kube-apiserver'],
      ['one', 'agent/serving-kubelet'],
      ['two', 'agent/client-kubelet'],
      ['two', 'agent/serving-kubelet'],
      ['three', 'agent/client-kubelet'],
      ['three', 'agent/serving-kubelet'],
    ] as const;
    const certificates = (): X509Certificate[] =>
      files.map(([host, name]) => new X509Certificate(readFileSync(hostOf(host).path(`/var/lib/kedge/${name}.crt`))));
    const first = certificates();
    const end = Math.max(...first.map(({ validToDate }) => validToDate.getTime()));
    await until(
      'all are renewed',
      () => certificates().every(({ serialNumber }, i) => serialNumber !== first[i]?.serialNumber),
      {
        timeoutMs: LIFETIME_MS,
      },
    );
    // From now on nobody gets by with a certificate of before.
    await delay(Math.max(0, end + 1000 - Date.now()));
    assert.deepEqual(await cluster.readyNodes(), [...NODES].sort());
    for (const node of NODES) {
      assert.equal(await ns.kubectl('exec', `web-${node}`, '--', 'hostname'), `web-${node}`);
      assert.equal(await cluster.kubectl(['get', '--raw', `/api/v1/nodes/${node}/proxy/healthz`]), 'ok');
      const pod = webPod(node);
      await ns.apply({ ...pod, metadata: { name: `new-${node}` } });
      await ns.waitReady(`new-${node}`, 60_000);
    }
    await ns.kubectl('delete', 'pod', ...NODES.map((node) => `new-${node}`));
  });

  test('a node that is deleted is forgotten by the others', async () => {
    await hostOf('three').kedge.stop();
    await cluster.kubectl(['delete', 'node', 'three']);
    const { address } = hostOf('three');
    await until('nothing leads to it', async () => {
      const left = await hostOf('one').mustRun(['sh', '-c', 'ip route; ip neigh; bridge fdb show dev flannel.1']);
      const block = podIP('three').replace(/\d+$/, '0');
      return !left.includes(`${block}/24`) && !left.includes(`dst ${address}`);
    });
  });
});
