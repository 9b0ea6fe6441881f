import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HostCluster } from './lib/host-cluster.ts';
import { type Host, Lan } from './lib/hosts.ts';
import { assertNothingLeft, type MachineState, readMachine } from './lib/machine.ts';

/** A cluster of several machines, as its administrator sees it. */
describe('nodes', () => {
  let machine: MachineState;
  let lan: Lan;
  let server: Host;
  let cluster: HostCluster;

  before(async () => {
    machine = await readMachine();
    lan = await Lan.create();
    server = await lan.addHost('server');
    cluster = await HostCluster.at(server);
    server.startKedge(['server']);
    await cluster.waitForNodes(['server']);
  });
  after(async () => {
    await lan?.close();
    if (machine !== undefined) await assertNothingLeft(machine);
  });

  test('a node has the name and the address of its machine', async () => {
    const path = '{.items[*].metadata.name} {.items[*].status.addresses[?(@.type=="InternalIP")].address}';
    assert.equal(await cluster.kubectl(['get', 'nodes', '-o', `jsonpath=${path}`]), `server ${server.address}`);
  });
});
