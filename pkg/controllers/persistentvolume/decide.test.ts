import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/generated/core-v1.ts';
import type { StorageClass } from '../../api/generated/storage-v1.ts';
import { type ClaimView, decideClaim, decideVolume, reclaimFailure } from './decide.ts';

const BOUND = { 'pv.kubernetes.io/bind-completed': 'yes' };
const SELECTED = { 'volume.kubernetes.io/selected-node': 'n' };

function claim(spec: object = {}, metadata: object = {}): PersistentVolumeClaim {
  return {
    metadata: { name: 'c', namespace: 'n', uid: 'uid-c', ...metadata },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: 's',
      ...spec,
    },
    status: { phase: 'Pending' },
  } as unknown as PersistentVolumeClaim;
}

function volume(name: string, spec: object = {}, more: { metadata?: object; phase?: string } = {}): PersistentVolume {
  return {
    metadata: { name, ...more.metadata },
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, storageClassName: 's', ...spec },
    status: { phase: more.phase ?? 'Available' },
  } as unknown as PersistentVolume;
}

function storageClass(name: string, more: object = {}, annotations: Record<string, string> = {}): StorageClass {
  const metadata = { name, annotations, creationTimestamp: '2026-01-01T00:00:00Z' };
  return { metadata, provisioner: 'example.com/p', ...more } as unknown as StorageClass;
}

const delayed = storageClass('s', { volumeBindingMode: 'WaitForFirstConsumer' });
const reference = { namespace: 'n', name: 'c', uid: 'uid-c' };
const foreign = { namespace: 'n', name: 'other', uid: 'uid-other' };

/** A decision in a few words. */
function decided(subject: PersistentVolumeClaim, view: Partial<ClaimView>): string {
  const decision = decideClaim(subject, { volumes: [], classes: [], waitingPods: () => [], ...view });
  switch (decision.action) {
    case 'bind':
      return `bind ${decision.volume.metadata.name}`;
    case 'adoptClass':
      return `adopt ${decision.storageClass}`;
    case 'provision':
      return `provision by ${decision.provisioner}`;
    default:
      return `${decision.action} ${decision.event?.reason ?? ''}`.trim();
  }
}

const claims: [string, PersistentVolumeClaim, Partial<ClaimView>, string][] = [
  [
    'the smallest',
    claim(),
    { volumes: [volume('l', { capacity: { storage: '9Gi' } }), volume('m', { capacity: { storage: '2Gi' } })] },
    'bind m',
  ],
  ['too small', claim({}), { volumes: [volume('v', { capacity: { storage: '1Mi' } })] }, 'pending ProvisioningFailed'],
  ['another class', claim(), { volumes: [volume('v', { storageClassName: 'x' })] }, 'pending ProvisioningFailed'],
  ['another mode', claim({ volumeMode: 'Block' }), { volumes: [volume('v')] }, 'pending ProvisioningFailed'],
  ['not offered', claim({ accessModes: ['ReadWriteMany'] }), { volumes: [volume('v')] }, 'pending ProvisioningFailed'],
  ['released', claim(), { volumes: [volume('v', {}, { phase: 'Released' })] }, 'pending ProvisioningFailed'],
  [
    'being deleted',
    claim(),
    { volumes: [volume('v', {}, { metadata: { deletionTimestamp: 'x' } })] },
    'pending ProvisioningFailed',
  ],
  ['of somebody else', claim(), { volumes: [volume('v', { claimRef: foreign })] }, 'pending ProvisioningFailed'],
  [
    'set aside for it',
    claim(),
    { volumes: [volume('a'), volume('v', { claimRef: { namespace: 'n', name: 'c' }, capacity: { storage: '5Gi' } })] },
    'bind v',
  ],
  [
    'selected by label',
    claim({ selector: { matchLabels: { d: 'ssd' } } }),
    { volumes: [volume('a'), volume('v', {}, { metadata: { labels: { d: 'ssd' } } })] },
    'bind v',
  ],
  ['no class at all', claim({ storageClassName: '' }), {}, 'pending FailedBinding'],
  [
    'a default class by now',
    claim({ storageClassName: undefined }),
    { classes: [storageClass('d', {}, { 'storageclass.kubernetes.io/is-default-class': 'true' })] },
    'adopt d',
  ],
  ['provisioned at once', claim(), { classes: [storageClass('s')] }, 'provision by example.com/p'],
  [
    'made by hand only',
    claim(),
    { classes: [storageClass('s', { provisioner: 'kubernetes.io/no-provisioner' })] },
    'pending ProvisioningFailed',
  ],
  [
    'waiting for a Pod, a volume or not',
    claim(),
    { classes: [delayed], volumes: [volume('v')] },
    'pending WaitForFirstConsumer',
  ],
  [
    'waiting for the scheduler',
    claim(),
    { classes: [delayed], waitingPods: () => ['p'] },
    'pending WaitForPodScheduled',
  ],
  [
    'the scheduler chose a volume',
    claim(),
    { classes: [delayed], volumes: [volume('v', { claimRef: reference })] },
    'bind v',
  ],
  [
    'the scheduler chose a node',
    claim({}, { annotations: SELECTED }),
    { classes: [delayed] },
    'provision by example.com/p',
  ],
  ['named and free', claim({ volumeName: 'v' }), { volumes: [volume('v')] }, 'bind v'],
  ['named and missing', claim({ volumeName: 'v' }), {}, 'pending'],
  [
    'named and unfit',
    claim({ volumeName: 'v' }),
    { volumes: [volume('v', { volumeMode: 'Block' })] },
    'pending VolumeMismatch',
  ],
  [
    'named and taken',
    claim({ volumeName: 'v' }),
    { volumes: [volume('v', { claimRef: foreign })] },
    'pending FailedBinding',
  ],
  [
    'bound',
    claim({ volumeName: 'v' }, { annotations: BOUND }),
    { volumes: [volume('v', { claimRef: reference })] },
    'bind v',
  ],
  ['bound, volume gone', claim({ volumeName: 'v' }, { annotations: BOUND }), {}, 'lost ClaimLost'],
  ['bound to nothing', claim({}, { annotations: BOUND }), {}, 'lost ClaimLost'],
  [
    'bound twice',
    claim({ volumeName: 'v' }, { annotations: BOUND }),
    { volumes: [volume('v', { claimRef: foreign })] },
    'lost ClaimMisbound',
  ],
];
for (const [name, subject, view, expected] of claims) {
  test(`claims: ${name}`, () => assert.equal(decided(subject, view), expected));
}

const PROVISIONED = { annotations: { 'pv.kubernetes.io/provisioned-by': 'example.com/p' } };
const volumes: [string, PersistentVolume, PersistentVolumeClaim | undefined, string][] = [
  ['nobody asks for it', volume('v'), undefined, 'phase Available'],
  ['set aside', volume('v', { claimRef: { namespace: 'n', name: 'c' } }), undefined, 'phase Available'],
  ['bound', volume('v', { claimRef: reference }), claim({ volumeName: 'v' }), 'phase Bound'],
  ['half bound', volume('v', { claimRef: reference }), claim(), 'leaveToClaim'],
  ['never to be bound', volume('v', { claimRef: reference }), claim({ volumeMode: 'Block' }), 'mismatch'],
  ['claim gone', volume('v', { claimRef: reference }), undefined, 'release'],
  ['claim made anew', volume('v', { claimRef: reference }), claim({}, { uid: 'new' }), 'release'],
  ['claim took another', volume('v', { claimRef: reference }), claim({ volumeName: 'w' }), 'unbind'],
  [
    'made in vain',
    volume('v', { claimRef: reference, persistentVolumeReclaimPolicy: 'Delete' }, { metadata: PROVISIONED }),
    claim({ volumeName: 'w' }),
    'release',
  ],
];
for (const [name, subject, owner, expected] of volumes) {
  test(`volumes: ${name}`, () => {
    const decision = decideVolume(subject, owner);
    assert.equal(decision.action === 'phase' ? `phase ${decision.phase}` : decision.action, expected);
  });
}

test('what reclaiming comes to', () => {
  const outcome = (policy: string, metadata: object = {}): string | undefined =>
    reclaimFailure(volume('v', { persistentVolumeReclaimPolicy: policy }, { metadata }))?.reason;
  assert.deepEqual(
    [outcome('Retain'), outcome('Recycle'), outcome('Delete'), outcome('Delete', PROVISIONED)],
    [undefined, 'VolumeFailedRecycle', 'VolumeFailedDelete', undefined],
  );
});
