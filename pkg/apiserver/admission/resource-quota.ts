import type { Pod, ResourceQuota } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, pods, resourceQuotas, services } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { addQuantities, type Quantities, quantitiesOf } from '../../apimachinery/pod-resources.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Clock } from '../../base/clock.ts';
import type { RegistryAccess } from '../../registry/descriptor.ts';
import { isInScope } from '../../registry/quota/scopes.ts';
import { isUsedBy, unspecified, usageOf } from '../../registry/quota/usage.ts';
import type { Store } from '../storage/store.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './admission.ts';

export interface ResourceQuotaOptions {
  readonly clock: Clock;
  /** The server's own writes; asked for at each use, since admission is made before it. */
  readonly access: () => Pick<RegistryAccess, 'mutate'>;
}

/** A change of usage that `quota` has to agree to. */
interface Charge {
  readonly quota: ResourceQuota;
  readonly delta: Quantities;
}

/**
 * Upstream's ResourceQuota admission: what would use more than a quota of its namespace leaves is refused, and what is
 * let in is noted in the quota at once, so that two writes together cannot overdraw it. The resourcequota controller
 * puts right what comes of writes that fail later.
 */
export function resourceQuotaAdmission(store: Store, options: ResourceQuotaOptions): AdmissionPlugin {
  return {
    name: 'ResourceQuota',
    validate(attributes) {
      const { namespace } = attributes;
      if (namespace === undefined || !isCounted(attributes)) return undefined;
      const quotas = store.list(resourceQuotas, namespace).map(({ object }) => object);
      return quotas.length === 0 ? undefined : charge(attributes, quotas, namespace, options);
    },
  };
}

async function charge(
  attributes: AdmissionAttributes,
  quotas: readonly ResourceQuota[],
  namespace: string,
  options: ResourceQuotaOptions,
): Promise<void> {
  const { descriptor } = attributes;
  const refuse = (text: string): Error =>
    statusErrors.forbidden(descriptor.type, attributes.object.metadata.name ?? '', text);
  const charges = chargesOf(attributes, quotas, options.clock.now(), refuse);
  for (const { quota, delta } of charges) charged(quota, delta, refuse);
  if (attributes.dryRun) return;
  for (const { quota, delta } of charges) {
    const note = (draft: ResourceQuota): void => {
      draft.status.used = charged(draft, delta, refuse);
    };
    const { name } = quota.metadata;
    await options.access().mutate(resourceQuotas, name, namespace, note, { subresource: 'status' });
  }
}

/** Updates count where they may use more: Services, claims, and Pods that are resized. */
function isCounted({ operation, subresource, descriptor }: AdmissionAttributes): boolean {
  if (operation === 'CREATE') return subresource === undefined;
  if (operation !== 'UPDATE') return false;
  const { type } = descriptor;
  if (type === pods) return subresource === 'resize';
  return subresource === undefined && (type === services || type === persistentVolumeClaims);
}

function chargesOf(
  { descriptor, object, old }: AdmissionAttributes,
  quotas: readonly ResourceQuota[],
  now: number,
  refuse: (text: string) => Error,
): Charge[] {
  const { type } = descriptor;
  const delta = deltaOf(usageOf(type, object, now), old && usageOf(type, old as KubeObject, now));
  const charges: Charge[] = [];
  for (const quota of quotas) {
    const names = Object.keys(quota.status.hard ?? {}).filter((name) => isUsedBy(type, name));
    if (names.length === 0 || !isInScope(quota, type, object)) continue;
    const { name } = quota.metadata;
    if (type === pods) {
      const text = unspecified(object as Pod, names);
      if (text !== undefined) throw refuse(`failed quota: ${name}: ${text}`);
    }
    const unknown = names.filter((each) => quota.status.used?.[each] === undefined).sort();
    if (unknown.length > 0) throw refuse(`status unknown for quota: ${name}, resources: ${unknown.join(',')}`);
    const masked: Quantities = new Map([...delta].filter(([each]) => names.includes(each)));
    if (masked.size > 0) charges.push({ quota, delta: masked });
  }
  return charges;
}

/** The usage with what was used before taken off; without what stays the same. */
function deltaOf(usage: Quantities, before: Quantities | undefined): Quantities {
  const delta: Quantities = new Map(usage);
  for (const [name, amount] of before ?? []) delta.set(name, delta.get(name)?.sub(amount) ?? amount.negate());
  return new Map([...delta].filter(([, amount]) => !amount.isZero));
}

/** What `quota` will count with `delta` added. Throws when that is more than it allows. */
function charged(quota: ResourceQuota, delta: Quantities, refuse: (text: string) => Error): Record<string, string> {
  const hard = quantitiesOf(quota.status.hard);
  const used = quantitiesOf(quota.status.used);
  const next: Quantities = new Map(used);
  addQuantities(next, delta);
  const exceeded = [...delta.keys()]
    .filter((name) => {
      const limit = hard.get(name);
      return limit !== undefined && (next.get(name)?.compare(limit) ?? 0) > 0;
    })
    .sort();
  if (exceeded.length > 0) {
    const list = (amounts: Quantities): string =>
      exceeded.map((name) => `${name}=${amounts.get(name)?.toString() ?? '0'}`).join(',');
    const { name } = quota.metadata;
    throw refuse(`exceeded quota: ${name}, requested: ${list(delta)}, used: ${list(used)}, limited: ${list(hard)}`);
  }
  return Object.fromEntries([...next].map(([name, amount]) => [name, amount.toString()]));
}
