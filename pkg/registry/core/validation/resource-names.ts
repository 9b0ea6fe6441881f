/** What kinds of resources there are: upstream's helpers on resource names. */
import { isQualifiedName } from '../../../apimachinery/names.ts';

const HUGE_PAGES = 'hugepages-';
const CONTAINER_RESOURCES: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Counted objects. */
const OBJECT_COUNTS: ReadonlySet<string> = new Set([
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.loadbalancers',
  'services.nodeports',
]);

const QUOTA_RESOURCES: ReadonlySet<string> = new Set([
  ...OBJECT_COUNTS,
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
]);

export const isHugePages = (name: string): boolean => name.startsWith(HUGE_PAGES);

export const isStandardContainerResource = (name: string): boolean =>
  CONTAINER_RESOURCES.has(name) || isHugePages(name);

export const isStandardQuotaResource = (name: string): boolean =>
  QUOTA_RESOURCES.has(name) || isHugePages(name) || name.startsWith(`requests.${HUGE_PAGES}`);

export const isStandardResource = (name: string): boolean => isStandardQuotaResource(name) || name === 'storage';

/** Without a domain, or of one of Kubernetes' own. */
export const isNative = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');

/** `example.com/gpu`: whole units that are never overcommitted. */
export const isExtended = (name: string): boolean =>
  !isNative(name) && !name.startsWith('requests.') && isQualifiedName(`requests.${name}`).length === 0;

export const isOvercommitAllowed = (name: string): boolean => isNative(name) && !isHugePages(name);

/** Resources of which there are only whole units. */
export const isIntegral = (name: string): boolean => OBJECT_COUNTS.has(name) || isExtended(name);

/** Resources that a Pod may be given as a whole. */
export const isPodLevelResource = (name: string): boolean => name === 'cpu' || name === 'memory' || isHugePages(name);

const POD_AMOUNTS: ReadonlySet<string> = new Set([
  'pods',
  'cpu',
  'memory',
  'limits.cpu',
  'limits.memory',
  'requests.cpu',
  'requests.memory',
]);

/** Whether a quota of `scope` can limit the resource (upstream's IsResourceQuotaScopeValidForResource). */
export function isInScope(scope: string, name: string): boolean {
  switch (scope) {
    case 'Terminating':
    case 'NotTerminating':
    case 'NotBestEffort':
    case 'PriorityClass':
    case 'CrossNamespacePodAffinity':
      return POD_AMOUNTS.has(name);
    case 'BestEffort':
      return name === 'pods';
    case 'VolumeAttributesClass':
      return name === 'persistentvolumeclaims' || name === 'requests.storage';
    default:
      return true;
  }
}
