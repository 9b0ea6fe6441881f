import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addressAt,
  containsAddress,
  formatAddress,
  formatCIDR,
  overlap,
  parseAddress,
  parseCIDR,
  sizeOf,
} from './ip.ts';

function address(text: string): NonNullable<ReturnType<typeof parseAddress>> {
  const parsed = parseAddress(text);
  assert.ok(parsed, text);
  return parsed;
}

function cidr(text: string): NonNullable<ReturnType<typeof parseCIDR>> {
  const parsed = parseCIDR(text);
  assert.ok(parsed, text);
  return parsed;
}

test('addresses read and written again', () => {
  const cases: readonly [string, string][] = [
    ['10.42.0.1', '10.42.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8::0:1', '2001:db8::1'],
    ['fd00:42::', 'fd00:42::'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
  ];
  for (const [text, expected] of cases) assert.equal(formatAddress(address(text)), expected);
  for (const text of ['', '10.42.0', '10.42.0.256', '010.1.1.1', 'fe80::1%eth0', 'host', '1::2::3']) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test('CIDR blocks', () => {
  assert.equal(formatCIDR(cidr('10.42.7.9/16')), '10.42.0.0/16');
  assert.equal(formatCIDR(cidr('fd00::5/64')), 'fd00::/64');
  for (const text of ['10.42.0.0', '10.42.0.0/33', '10.42.0.0/', '10.42.0.0/016', 'fd00::/129', '/16']) {
    assert.equal(parseCIDR(text), undefined, text);
  }
  assert.equal(sizeOf(cidr('10.43.0.0/24')), 256n);
  assert.equal(formatAddress(addressAt(cidr('10.43.0.0/16'), 10n)), '10.43.0.10');
  assert.throws(() => addressAt(cidr('10.43.0.0/30'), 4n), RangeError);
  assert.ok(containsAddress(cidr('10.43.0.0/16'), address('10.43.255.255')));
  assert.ok(!containsAddress(cidr('10.43.0.0/16'), address('10.44.0.0')));
  assert.ok(!containsAddress(cidr('0.0.0.0/0'), address('::1')));
  assert.ok(overlap(cidr('10.0.0.0/8'), cidr('10.43.0.0/16')));
  assert.ok(!overlap(cidr('10.42.0.0/16'), cidr('10.43.0.0/16')));
});
