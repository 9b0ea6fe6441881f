import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../base/component.ts';
import { silentLogger } from '../../base/log.ts';
import { ExecError } from '../../host/exec.ts';
import type { RunProgram } from '../../host/nft.ts';
import { chooseMode } from './mode.ts';

/** A machine on which commands that begin with one of these words fail: by themselves, or for not being there. */
function machine(fails: readonly string[], notInstalled: readonly string[] = []): RunProgram {
  return (argv) => {
    const command = argv.join(' ');
    const missing = notInstalled.includes(argv[0]);
    if (!missing && !fails.some((begin) => command.startsWith(begin))) return Promise.resolve('[]');
    const cause = missing ? Object.assign(new Error('spawn'), { code: 'ENOENT' }) : undefined;
    return Promise.reject(new ExecError(argv, missing ? undefined : 1, 'fails', 'not supported', cause));
  };
}

const NO_IPVS = ['modprobe', 'cat /proc/net/ip_vs'];

test('IPVS where the machine can do it, else nftables', async () => {
  assert.equal(await chooseMode('auto', machine([]), silentLogger), 'ipvs');
  assert.equal(await chooseMode('auto', machine(['modprobe']), silentLogger), 'ipvs', 'IPVS is built in');
  assert.equal(await chooseMode('auto', machine(NO_IPVS), silentLogger), 'nftables');
  assert.equal(await chooseMode('auto', machine([], ['ipset']), silentLogger), 'nftables');
  assert.equal(await chooseMode('auto', machine(['ip link add']), silentLogger), 'nftables');
  assert.equal(await chooseMode('nftables', machine([]), silentLogger), 'nftables');
});

test('a mode that cannot be had is refused with its cause and the remedy, in one line', async () => {
  const refusals = [
    [NO_IPVS, [], 'this kernel has no IPVS (module ip_vs): run a kernel that has it, or use --proxy-mode=nftables'],
    [[], ['ipset', 'ipvsadm'], /missing: ipvsadm, ipset: apt install ipvsadm ipset, or use --proxy-mode=nftables$/],
    [['ip link add'], [], /^--proxy-mode=ipvs: this kernel cannot do .*not supported\): run a kernel that has it, or /],
    [['iptables -w', 'iptables-legacy'], [], /neither iptables nor iptables-legacy works here: /],
  ] as const;
  for (const [fails, notInstalled, message] of refusals) {
    const expected = typeof message === 'string' ? `--proxy-mode=ipvs: ${message}` : message;
    await assert.rejects(chooseMode('ipvs', machine(fails, notInstalled), silentLogger), (error) => {
      assert.ok(error instanceof OperatorError);
      if (typeof expected === 'string') assert.equal(error.message, expected);
      else assert.match(error.message, expected);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }
  await assert.rejects(chooseMode('nftables', machine([], ['nft']), silentLogger), /apt install nftables/);
});
