/** Labels of `kubernetes.io` and `k8s.io` that a kubelet may set on its Node (upstream's kubeletLabels). */
const KUBELET_LABELS: ReadonlySet<string> = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.kubernetes.io/region',
  'failure-domain.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
]);

/** Below these everything is the kubelet's. */
const KUBELET_DOMAINS: readonly string[] = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
/** Labels an administrator isolates nodes by: no kubelet may touch them. */
const ISOLATION_DOMAIN = 'node-restriction.kubernetes.io';

type Labels = Readonly<Record<string, string>>;

/** The labels that differ between `before` and `after` and that a kubelet may not set, sorted. */
export function restrictedLabels(before: Labels, after: Labels): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => before[key] !== after[key] && isRestricted(key)).sort();
}

function isRestricted(key: string): boolean {
  const domain = key.includes('/') ? (key.split('/')[0] ?? '') : '';
  const below = (parent: string): boolean => domain === parent || domain.endsWith(`.${parent}`);
  if (below(ISOLATION_DOMAIN)) return true;
  if (!below('kubernetes.io') && !below('k8s.io')) return false;
  return !KUBELET_LABELS.has(key) && !KUBELET_DOMAINS.some(below);
}
