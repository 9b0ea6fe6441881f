/** Runs in a guest, whose kernel has IPVS: a node with many Services. Prints what was measured as one line of JSON. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from '../../../pkg/api/generated/core-v1.ts';
import type { EndpointSlice } from '../../../pkg/api/generated/discovery-v1.ts';
import { endpointSlices, services } from '../../../pkg/api/resources.ts';
import type { Input } from '../../../pkg/api/types.ts';
import { systemClock } from '../../../pkg/base/clock.ts';
import { silentLogger } from '../../../pkg/base/log.ts';
import { MemoryClient } from '../../../pkg/client/testing/memory-client.ts';
import { inNetworkNamespace, type RunProgram } from '../../../pkg/host/nft.ts';
import { createProxy } from '../../../pkg/network/proxy/proxy.ts';
import { CLUSTER_CIDR, NODE_IP, NodeInNamespaces, SERVICE_CIDR } from '../../integration/network/cluster.ts';
import type { IpvsMeasurements } from '../ipvs.ts';
import { CONNECTOR } from './connector.ts';

const [count = 0, changes = 0] = process.argv.slice(2).map(Number);
const CLUSTER_IP = '10.243.0.5';
// Many short rounds: what else the machine does comes and goes.
const ROUNDS = 15;
const CONNECTIONS = 60;

const node = new NodeInNamespaces('kbi');
const client = new MemoryClient(systemClock);
await node.start();
const pods = [await node.addPod('p1', 8080), await node.addPod('p2', 8080)] as const;

function sliceOf(n: number, addresses: readonly string[]): Input<EndpointSlice> {
  return {
    metadata: { name: `s${n}`, namespace: 'default', labels: { 'kubernetes.io/service-name': `s${n}` } },
    addressType: 'IPv4',
    ports: [{ name: 'main', port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

for (let n = 0; n < count; n++) {
  const metadata = { name: `s${n}`, namespace: 'default' };
  const clusterIP = n === 0 ? CLUSTER_IP : `10.243.${16 + (n >> 8)}.${n & 255}`;
  const ports = [{ name: 'main', port: 80, targetPort: 8080, protocol: 'TCP' }];
  await client.create(services, { metadata, spec: { clusterIP, ports } } as Input<Service>);
  const addresses = n === 0 ? [pods[1]] : [`10.242.9.${n & 127}`, `10.242.9.${128 + (n & 63)}`];
  await client.create(endpointSlices, sliceOf(n, addresses));
}
const applied: number[] = [];
const noted: RunProgram = async (argv, options) => {
  const output = await node.run(argv, options);
  if (argv[0] === 'ipvsadm' && argv[1] === '-R') applied.push(performance.now());
  return output;
};
const host = { run: noted, sysctl: node.sysctl, localAddresses: () => Promise.resolve([NODE_IP]) };
const cidrs = { clusterCIDRs: [CLUSTER_CIDR], serviceCIDRs: [SERVICE_CIDR], servedHere: [] };
const shared = { client, nodeName: 'n1', mode: 'ipvs', clock: systemClock, log: silentLogger, host } as const;
const proxy = createProxy({ ...shared, ...cidrs });
await proxy.start(new AbortController().signal);
while (applied.length === 0) await delay(50);
await proxy.inForce();

const direct: number[] = [];
const service: number[] = [];
const inPod = inNetworkNamespace('kbip1');
for (let round = 0; round < ROUNDS; round++) {
  for (const [times, address, port] of [
    [direct, pods[1], 8080],
    [service, CLUSTER_IP, 80],
  ] as const) {
    times.push(Number(await inPod([process.execPath, '-e', CONNECTOR, address, String(port), String(CONNECTIONS)])));
  }
}
const programming: number[] = [];
for (let n = 0; n < changes; n++) {
  const earlier = applied.length;
  const begun = performance.now();
  await client.update(endpointSlices, sliceOf(1 + (n % (count - 1)), [`10.242.7.${n % 250}`, `10.242.8.${n % 250}`]));
  while (applied.length === earlier) await delay(2);
  programming.push((applied[earlier] ?? 0) - begun);
  await proxy.inForce();
  await delay(60);
}
const measured: IpvsMeasurements = { direct, service, programming };
console.log(`\n${JSON.stringify(measured)}`);
await proxy.stop();
await node.stop();
