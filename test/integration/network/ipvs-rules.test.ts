import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exec } from '../../../pkg/host/exec.ts';
import { IpSetKeeper } from '../../../pkg/host/ipset.ts';
import { IptablesKeeper } from '../../../pkg/host/iptables.ts';
import { inNetworkNamespace } from '../../../pkg/host/nft.ts';
import { IPVS_CHAIN_PREFIX } from '../../../pkg/network/names.ts';
import { type IpvsPlan, IpvsPlanner, setPrefix } from '../../../pkg/network/proxy/ipvs-plan.ts';

const namespace = `kir${(process.pid % 46656).toString(36)}`;
const run = inNetworkNamespace(namespace);

function planWith(family: 4 | 6, pods: readonly string[]): IpvsPlan {
  const [clusterCIDR, serviceCIDR, clusterIP, outside] =
    family === 4
      ? ['10.42.0.0/16', '10.43.0.0/16', '10.43.0.5', '192.0.2.9']
      : ['fd42::/48', 'fd43::/112', 'fd43::5', '2001:db8::9'];
  const endpoints = pods.map((address) => ({ address, port: 8080, local: true }));
  const backends = { endpoints, otherwise: 'drop' } as const;
  const service = {
    key: 'default/web/tcp/80',
    protocol: 'tcp',
    port: 80,
    clusterIP,
    externalAddresses: [{ address: outside, allowedSources: [clusterCIDR] }],
    nodePort: 30080,
    internal: backends,
    external: backends,
    externalLocal: true,
    cluster: endpoints,
    affinitySeconds: 60,
  } as const;
  const ruleset = { family, clusterCIDR, serviceCIDR, services: [service] };
  return new IpvsPlanner().plan(ruleset, { nodeAddresses: [], servedHere: [] });
}

before(() => exec(['ip', 'netns', 'add', namespace]));
after(() => exec(['ip', 'netns', 'delete', namespace]));

// The guest's kernel has only the older form; most machines have the one on top of nftables.
for (const family of [4, 6] as const) {
  test(`sets and rules of IPVS mode with the machine's own iptables, IPv${family}`, async () => {
    const program = family === 4 ? 'iptables' : 'ip6tables';
    const pods = family === 4 ? ['10.42.0.2', '10.42.0.3'] : ['fd42::2', 'fd42::3'];
    const sets = new IpSetKeeper(setPrefix(family), run);
    const programs = { restore: `${program}-restore`, save: `${program}-save` };
    const rules = new IptablesKeeper(programs, IPVS_CHAIN_PREFIX, run);
    const first = planWith(family, pods);
    assert.ok((await sets.apply(first.sets)) > 0);
    assert.ok((await rules.apply(first.tables)) > 0);
    assert.equal(await rules.intact(), true);
    assert.equal(await rules.apply(first.tables), 0);
    sets.forget();
    assert.equal(await sets.apply(first.sets), 0, 'the kernel writes entries as they were given');
    const second = planWith(family, pods.slice(1));
    await sets.apply(second.sets);
    await rules.apply(second.tables);
    assert.equal(await rules.intact(), true);
    await run([program, '-t', 'nat', '-F', 'KEDGE-IPVS-SERVICES']);
    assert.equal(await rules.intact(), false);
    rules.forget();
    await rules.apply(second.tables);
    assert.equal(await rules.intact(), true);
    await rules.remove(['mangle', 'nat', 'filter']);
    await sets.remove();
    assert.equal((await run(['nft', 'list', 'ruleset'])).trim(), '');
    assert.doesNotMatch(await run(['ipset', 'save']), /KEDGE/);
  });
}
