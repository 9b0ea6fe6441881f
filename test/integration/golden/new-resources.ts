/** What discovery shows of Kubernetes 1.36 that 1.32 had not, added to recordings. */
import { type Fields, isFields, type Step, type Value } from './recording.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const PART_VERBS = ['get', 'patch', 'update'];
const NEW_GROUP = 'resource.k8s.io';

interface NewResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced?: boolean;
  readonly shortName?: string;
  readonly hasStatus?: boolean;
  readonly category?: string;
}

/** What has become part of stable groups since 1.32. */
const NEW_RESOURCES: Readonly<Record<string, readonly NewResource[]>> = {
  'admissionregistration.k8s.io': [
    { name: 'mutatingadmissionpolicies', kind: 'MutatingAdmissionPolicy', category: 'api-extensions' },
    { name: 'mutatingadmissionpolicybindings', kind: 'MutatingAdmissionPolicyBinding', category: 'api-extensions' },
  ],
  'networking.k8s.io': [
    { name: 'ipaddresses', kind: 'IPAddress', shortName: 'ip' },
    { name: 'servicecidrs', kind: 'ServiceCIDR', hasStatus: true },
  ],
  [NEW_GROUP]: [
    { name: 'deviceclasses', kind: 'DeviceClass' },
    { name: 'resourceclaims', kind: 'ResourceClaim', namespaced: true, hasStatus: true },
    { name: 'resourceclaimtemplates', kind: 'ResourceClaimTemplate', namespaced: true },
    { name: 'resourceslices', kind: 'ResourceSlice' },
  ],
  'storage.k8s.io': [{ name: 'volumeattributesclasses', kind: 'VolumeAttributesClass', shortName: 'vac' }],
};

/** Adds them to `body`, if it is a discovery document. */
export function addNewResources({ path }: Step, body: Value): void {
  if (!isFields(body)) return;
  const { kind, groups, items, resources } = body;
  if (kind === 'APIGroupList' && Array.isArray(groups) && groups.length > 1) {
    const version = { groupVersion: `${NEW_GROUP}/v1`, version: 'v1' };
    groups.push({ name: NEW_GROUP, versions: [version], preferredVersion: version });
  }
  if (kind === 'APIResourceList' && Array.isArray(resources)) addToList(path, resources);
  if (kind === 'APIGroupDiscoveryList' && Array.isArray(items) && items.length > 0) addToAggregate(path, items);
}

function addToList(path: string, resources: Value[]): void {
  if (path === '/api/v1') {
    resources.push({ name: 'pods/resize', singularName: '', namespaced: true, kind: 'Pod', verbs: PART_VERBS });
  }
  const added = NEW_RESOURCES[path.split('/')[2] ?? ''] ?? [];
  if (path !== '/api/v1' && added.length === 0) return;
  for (const { name, kind, namespaced = false, shortName, hasStatus } of added) {
    const shortNames = shortName === undefined ? {} : { shortNames: [shortName] };
    const singularName = kind.toLowerCase();
    resources.push({ name, singularName, namespaced, kind, verbs: VERBS, ...shortNames, storageVersionHash: '<hash>' });
    if (hasStatus) resources.push({ name: `${name}/status`, singularName: '', namespaced, kind, verbs: PART_VERBS });
  }
  sortByField(resources, 'name');
}

function addToAggregate(path: string, items: Value[]): void {
  if (path === '/apis') {
    const version = { version: 'v1', resources: [], freshness: 'Current' };
    items.push({ metadata: { name: NEW_GROUP }, versions: [version] });
  }
  for (const item of items) {
    if (!isFields(item) || !isFields(item['metadata']) || !Array.isArray(item['versions'])) continue;
    const [preferred] = item['versions'];
    const resources = isFields(preferred) && Array.isArray(preferred['resources']) ? preferred['resources'] : [];
    addResize(resources);
    const added = NEW_RESOURCES[String(item['metadata']['name'])] ?? [];
    if (added.length === 0) continue;
    resources.push(...added.map(aggregated));
    sortByField(resources, 'resource');
  }
}

const part = (subresource: string, kind: string): Fields => ({
  subresource,
  responseKind: { group: '', version: '', kind },
  verbs: PART_VERBS,
});

function aggregated({ name, kind, namespaced, shortName, hasStatus, category }: NewResource): Fields {
  return {
    resource: name,
    responseKind: { group: '', version: '', kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.toLowerCase(),
    verbs: VERBS,
    ...(shortName === undefined ? {} : { shortNames: [shortName] }),
    ...(category === undefined ? {} : { categories: [category] }),
    ...(hasStatus ? { subresources: [part('status', kind)] } : {}),
  };
}

function addResize(resources: readonly Value[]): void {
  const pods = resources.find((each) => isFields(each) && each['resource'] === 'pods');
  if (!isFields(pods) || !Array.isArray(pods['subresources'])) return;
  pods['subresources'].push(part('resize', 'Pod'));
  sortByField(pods['subresources'], 'subresource');
}

function sortByField(list: Value[], field: string): void {
  const key = (value: Value): string => (isFields(value) ? String(value[field]) : '');
  list.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
