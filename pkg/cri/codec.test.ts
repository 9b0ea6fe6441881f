import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { SCALARS } from '../grpc/schema.ts';
import { decode, encode, message } from './codec.ts';
import { enums, type MessageName, messages } from './facts.ts';

/** The facts as a schema for protobufjs, which serves as the independent reader and writer. */
function reference(): protobuf.Root {
  const text = ['syntax = "proto3";'];
  for (const [name, values] of Object.entries(enums)) {
    text.push(`message In${name} { enum ${name} { ${values.map((value, i) => `${value} = ${i};`).join(' ')} } }`);
  }
  for (const [name, fields] of Object.entries(messages)) {
    const lines = Object.entries(fields as Record<string, readonly [number, string]>).map(([field, [number, type]]) => {
      const base = type.replace('[]', '');
      const wire =
        base === 'nanos'
          ? 'int64'
          : base === 'map'
            ? 'map<string, string>'
            : base in enums
              ? `In${base}.${base}`
              : base;
      return `${type.endsWith('[]') ? 'repeated ' : ''}${wire} ${field} = ${number};`;
    });
    text.push(`message ${name} { ${lines.join('\n')} }`);
  }
  return protobuf.parse(text.join('\n'), { keepCase: true }).root;
}

test('every field of the facts has a known type and a number of its own', () => {
  for (const [name, fields] of Object.entries(messages)) {
    const numbers = Object.values(fields).map(([number]) => number);
    assert.equal(new Set(numbers).size, numbers.length, name);
    for (const [, type] of Object.values(fields)) {
      const base = type.replace('[]', '');
      assert.ok(base in messages || base in enums || (SCALARS as readonly string[]).includes(base), `${name}: ${type}`);
    }
    assert.doesNotThrow(() => message(name as MessageName, {}));
  }
});

test('what is written is what protobufjs reads, and the other way round', () => {
  const root = reference();
  const status = message('PodSandboxStatusResponse', {
    status: {
      id: 'abc',
      metadata: { name: 'web-1', uid: 'u', namespace: 'default', attempt: 4294967295 },
      state: 'SANDBOX_NOTREADY',
      createdAt: 1_790_000_000_123_456_789n,
      labels: { app: 'web', emoji: '🌊' },
      network: { ip: '10.42.0.2', additionalIps: [{ ip: 'fd00::2' }] },
      linux: { namespaces: { options: { network: 'NODE', pid: 'CONTAINER' } } },
    },
    containersStatuses: [{ id: 'c', exitCode: -1, state: 'CONTAINER_EXITED' }],
    timestamp: -1n,
  });
  const type = root.lookupType('PodSandboxStatusResponse');
  const bytes = encode('PodSandboxStatusResponse', status);
  const seen = type.toObject(type.decode(bytes), { longs: String, enums: String, defaults: true });
  assert.equal(seen['status'].createdAt, '1790000000123456789');
  assert.equal(seen['status'].metadata.attempt, 4294967295);
  assert.equal(seen['status'].labels.emoji, '🌊');
  assert.equal(seen['status'].linux.namespaces.options.network, 'NODE');
  assert.equal(seen['containersStatuses'][0].exitCode, -1);
  assert.equal(seen['timestamp'], '-1');
  assert.deepEqual(decode('PodSandboxStatusResponse', type.encode(type.fromObject(seen)).finish()), status);
});

test('signed, packed and floating fields', () => {
  const context = { supplementalGroups: [1, 300, 65534], runAsUser: { value: -5 } };
  const read = decode('LinuxContainerSecurityContext', encode('LinuxContainerSecurityContext', context));
  assert.deepEqual(read.supplementalGroups, [1, 300, 65534]);
  assert.equal(read.runAsUser?.value, -5);
  assert.equal(decode('PsiData', encode('PsiData', { avg10: 1.25 })).avg10, 1.25);
  const type = reference().lookupType('LinuxContainerSecurityContext');
  const packed = type.encode({ supplementalGroups: [7, 8] }).finish();
  assert.deepEqual(decode('LinuxContainerSecurityContext', packed).supplementalGroups, [7, 8]);
  assert.deepEqual(decode('PortForwardRequest', Buffer.from([0x10, 80, 0x10, 81])).port, [80, 81], 'unpacked');
});

test('unset fields read as their defaults, a nested message as absent', () => {
  const status = decode('ContainerStatus', Buffer.alloc(0));
  assert.equal(status.state, 'CONTAINER_CREATED');
  assert.equal(status.createdAt, 0n);
  assert.deepEqual(status.mounts, []);
  assert.deepEqual(status.labels, {});
  assert.equal('metadata' in status, false);
});

test('numbers beyond the safe range are rounded when read and refused when written', () => {
  const type = reference().lookupType('UInt64Value');
  const bytes = type.encode(type.fromObject({ value: '18446744073709551615' })).finish();
  assert.equal(decode('UInt64Value', bytes).value, 2 ** 64);
  assert.throws(() => encode('UInt64Value', { value: 2 ** 60 }), RangeError);
  assert.throws(() => encode('Int64Value', { value: 1.5 }), RangeError);
});

test('fields and enum values that are newer than the facts are passed over', () => {
  const bytes = Buffer.concat([
    Buffer.from([0xfa, 0x3f, 2, 1, 1]), // field 1023, bytes
    Buffer.from([0xf8, 0x3f, 5]), // field 1023, varint
    encode('Container', { id: 'x' }),
    Buffer.from([0x30, 99]), // state = 99
  ]);
  const container = decode('Container', bytes);
  assert.equal(container.id, 'x');
  assert.equal(container.state, 'CONTAINER_CREATED');
});

test('malformed bytes are refused, whatever they are', () => {
  const whole = encode('Container', { id: 'x'.repeat(200), labels: { a: 'b' } });
  for (let end = 1; end < whole.length; end++) {
    if (end === 203) continue; // the id alone is a message too
    assert.throws(() => decode('Container', whole.subarray(0, end)), { name: 'WireError' }, `cut at ${end}`);
  }
  assert.throws(() => decode('Container', Buffer.from([0x08, 1])), /unexpected wire type/);
  assert.throws(() => decode('Container', Buffer.alloc(12, 0xff)), { name: 'WireError' });
  assert.throws(() => decode('Container', Buffer.from([0x0b])), { name: 'WireError' });
});
