import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { chooseNodeAddress } from './node-address.ts';

const HEAD = 'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n';
const ipv4 = (address: string, internal = false): NetworkInterfaceInfo[] => [
  { address, family: 'IPv4', netmask: '255.255.255.0', mac: '00:00:00:00:00:00', internal, cidr: `${address}/24` },
];

const INTERFACES = {
  lo: ipv4('127.0.0.1', true),
  cni0: ipv4('10.42.0.1'),
  eth0: ipv4('192.168.1.5'),
  wlan0: ipv4('192.168.2.9'),
};

test('the default route with the lowest metric decides', () => {
  const routes = `${HEAD}eth0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\nwlan0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n`;
  assert.equal(chooseNodeAddress(INTERFACES, routes), '192.168.2.9');
});

test('without a default route the first physical device is taken, never a bridge of containers', () => {
  assert.equal(chooseNodeAddress(INTERFACES, HEAD), '192.168.1.5');
});

test('a host with nothing but loopback has no address', () => {
  assert.equal(chooseNodeAddress({ lo: INTERFACES.lo, cni0: INTERFACES.cni0 }, HEAD), undefined);
});
