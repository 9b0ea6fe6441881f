/** The status of a ResourceQuota: pure, from the objects there are. */
import type { ResourceQuota, ResourceQuotaStatus } from '../../api/generated/core-v1.ts';
import type { KubeObject, ResourceType } from '../../api/types.ts';
import { addQuantities, type Quantities } from '../../apimachinery/pod-resources.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import { isInScope } from '../../registry/quota/scopes.ts';
import { isUsedBy, usageOf } from '../../registry/quota/usage.ts';

/**
 * What `quota` should say, given that `types` are all kinds there are and `list` has the objects of one of them. What
 * no kind uses is not reported as used.
 */
export function quotaStatus(
  quota: ResourceQuota,
  types: Iterable<ResourceType>,
  list: (type: ResourceType) => readonly KubeObject[],
  now: number,
): ResourceQuotaStatus {
  const hard = quota.spec.hard ?? {};
  const used: Quantities = new Map();
  for (const type of types) {
    const names = Object.keys(hard).filter((name) => isUsedBy(type, name));
    if (names.length === 0) continue;
    for (const name of names) used.set(name, used.get(name) ?? Quantity.of(0));
    for (const object of list(type)) {
      if (!isInScope(quota, type, object)) continue;
      const usage = usageOf(type, object, now);
      addQuantities(used, new Map([...usage].filter(([name]) => names.includes(name))));
    }
  }
  const text = Object.fromEntries([...used].map(([name, amount]) => [name, amount.toString()]));
  return {
    ...(Object.keys(hard).length > 0 && { hard }),
    ...(used.size > 0 && { used: text }),
  };
}
