import type { Service, ServiceSpec } from '../../api/generated/core-v1.ts';
import { fieldError, goStringSlice } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { parseAddress } from '../../base/ip.ts';
import type { Findings } from '../validation/rules.ts';
import { validateClusterIPs } from './validation/service.ts';

const SPEC = FieldPath.of('spec');
const POLICY = SPEC.child('ipFamilyPolicy');

/** The other family. */
const ALTERNATIVE: Readonly<Record<string, string>> = { IPv4: 'IPv6', IPv6: 'IPv4' };

/**
 * Sets, in place, the families of a Service's addresses and their policy, in a cluster whose Services have addresses of
 * `family` alone: upstream's initIPFamilyFields. What it tells is to be refused.
 */
export function* initFamilies({ spec }: Service, old: Service | undefined, family: string): Findings {
  const isFree = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0;
  spec.ipFamilyPolicy ??= old?.spec.ipFamilyPolicy ?? (isFree ? 'RequireDualStack' : 'SingleStack');
  const wrong = [...validateClusterIPs(spec)];
  if (wrong.length > 0) return yield* wrong;
  const isSingle = spec.ipFamilyPolicy === 'SingleStack';
  if (old !== undefined) wrong.push(...judgeReduction(spec, old.spec));
  const told: string[] = [];
  if (isSingle && spec.clusterIPs?.length === 2) told.push('cluster IPs');
  if (isSingle && spec.ipFamilies?.length === 2) told.push('IP families');
  for (const what of told) {
    const text = `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;
    wrong.push(fieldError.invalid(POLICY, spec.ipFamilyPolicy, text));
  }
  wrong.push(...inferFamilies(spec, family));
  if (wrong.length > 0) return yield* wrong;
  if (isFree) {
    // Without a cluster IP and Pods of its own, it may have what the cluster has not.
    const [first = family, second] = spec.ipFamilies ?? [];
    spec.ipFamilies = isSingle && second === undefined ? [first] : [first, second ?? ALTERNATIVE[first] ?? first];
    return;
  }
  if (spec.ipFamilyPolicy === 'RequireDualStack') {
    yield fieldError.invalid(POLICY, 'RequireDualStack', 'this cluster is not configured for dual-stack services');
  }
  for (const [index, wanted] of (spec.ipFamilies ?? []).entries()) {
    if (wanted === family) continue;
    yield fieldError.invalid(SPEC.child('ipFamilies').index(index), wanted, 'not configured on this cluster');
  }
  if ((spec.ipFamilies ?? []).length === 0) spec.ipFamilies = [family];
}

/** A second address or family goes with the policy alone. */
function* judgeReduction(spec: ServiceSpec, old: ServiceSpec): Findings {
  for (const [key, what] of [['clusterIPs', 'cluster IP'] as const, ['ipFamilies', 'IP family'] as const]) {
    const [now = [], before = []] = [spec[key], old[key]];
    if (spec.ipFamilyPolicy === 'SingleStack') {
      if (now.length > 1 && now.join() === before.join()) spec[key] = now.slice(0, 1);
    } else if (now.length > 0 && now.length < before.length) {
      yield fieldError.invalid(POLICY, spec.ipFamilyPolicy, `must be 'SingleStack' to release the secondary ${what}`);
    }
  }
}

/** Families that are not told are those of the addresses. */
function* inferFamilies(spec: ServiceSpec, family: string): Findings {
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    if (address === 'None') return;
    if (index < (spec.ipFamilies ?? []).length) continue;
    const found = `IPv${parseAddress(address)?.family}`;
    const path = SPEC.child('clusterIPs').index(index);
    if (found === family) spec.ipFamilies = [...(spec.ipFamilies ?? []), found];
    else yield fieldError.invalid(path, goStringSlice(spec.clusterIPs), `${found} is not configured on this cluster`);
  }
}
