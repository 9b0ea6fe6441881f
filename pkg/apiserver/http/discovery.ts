import { createHash } from 'node:crypto';
import type { APIResource } from '../../api/generated/meta-v1.ts';
import { apiVersionOf } from '../../api/types.ts';
import { compareApiVersions } from '../../apimachinery/api-versions.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Descriptor, Subresource, Verb } from '../../registry/descriptor.ts';
import type { RemoteVersion } from '../aggregation/remote-discovery.ts';
import type { ResourceRegistry } from '../resource-registry.ts';
import { MEDIA_TYPES, negotiatePlain, onlyAccepted, parseAccept, requireProduced } from './negotiate.ts';

/** The order in which upstream lists its own groups; others follow by name. */
const GROUP_ORDER: readonly string[] = [
  '',
  'apiregistration.k8s.io',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'resource.k8s.io',
];

/** A discovery document and the media type it was asked for in. */
export interface DiscoveryDocument {
  readonly body: object;
  readonly mediaType: string;
  /** Aggregated documents carry one. */
  readonly etag?: string;
}

interface Group {
  readonly name: string;
  /** Preferred version first. */
  readonly versions: readonly GroupVersion[];
}

interface GroupVersion {
  readonly version: string;
  readonly resources: readonly Descriptor[];
  /** Set where another server has it. */
  readonly remote?: RemoteVersion;
}

/** What is asked about other servers. */
export interface RemoteGroups {
  versions(): readonly RemoteVersion[];
  resources(): Promise<readonly RemoteVersion[]>;
}

/** Answers `/api`, `/apis`, `/apis/<group>` and `/apis/<group>/<version>` from the registry. */
export class Discovery {
  readonly #registry: ResourceRegistry;
  readonly #serverAddress: string;
  readonly #remote: RemoteGroups;
  #groups: readonly Group[] = [];
  #generation = -1;

  /** `serverAddress`: `host:port` clients outside reach the server at. */
  constructor(registry: ResourceRegistry, serverAddress: string, remote: RemoteGroups) {
    this.#registry = registry;
    this.#serverAddress = serverAddress;
    this.#remote = remote;
  }

  /** The document at `path`; undefined when there is no such group or version. */
  async document(path: readonly string[], accept: string | undefined): Promise<DiscoveryDocument | undefined> {
    const [root, first, second] = path;
    if (path.length === 1) {
      const aggregated = aggregatedType(accept);
      if (aggregated !== undefined) return await this.#aggregated(root === 'api', aggregated);
      return plain(root === 'api' ? this.#coreVersions() : this.#groupList(), accept);
    }
    const group = this.#group(root === 'api' ? '' : (first ?? ''));
    if (group === undefined) return undefined;
    if (root !== 'api' && second === undefined) return plain(groupDocument(group, true), accept);
    const version = root === 'api' ? first : second;
    const found = group.versions.find((candidate) => candidate.version === version && candidate.remote === undefined);
    return found === undefined ? undefined : plain(resourceList(group.name, found.version, found.resources), accept);
  }

  /** All groups, with the core group first. */
  groups(): readonly Group[] {
    if (this.#generation !== this.#registry.generation) {
      this.#groups = groupsOf(this.#registry.all());
      this.#generation = this.#registry.generation;
    }
    return this.#groups;
  }

  /** With those of other servers. */
  #all(remote: readonly RemoteVersion[] = this.#remote.versions()): readonly Group[] {
    return remote.length === 0 ? this.groups() : withRemote(this.groups(), remote);
  }

  #group(name: string): Group | undefined {
    return this.#all().find((group) => group.name === name);
  }

  #coreVersions(): object {
    return {
      kind: 'APIVersions',
      versions: ['v1'],
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: this.#serverAddress }],
    };
  }

  #groupList(): object {
    const groups = this.#all().filter((group) => group.name !== '');
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map((group) => groupDocument(group, false)) };
  }

  async #aggregated(core: boolean, type: AggregatedType): Promise<DiscoveryDocument> {
    const groups = core ? this.groups() : this.#all(await this.#remote.resources());
    const items = groups
      .filter((group) => (group.name === '') === core)
      .map((group) => ({
        metadata: group.name === '' ? {} : { name: group.name },
        versions: group.versions.map(aggregatedVersion),
      }));
    const body = {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${type.version}`,
      metadata: {},
      items,
    };
    const etag = createHash('sha512').update(JSON.stringify(body)).digest('hex').toUpperCase();
    return { body, mediaType: type.mediaType, etag: `"${etag}"` };
  }
}

interface AggregatedType {
  readonly version: 'v2' | 'v2beta1';
  readonly mediaType: string;
}

/** The aggregated form the client asks for first, if it does. */
function aggregatedType(accept: string | undefined): AggregatedType | undefined {
  for (const { type, parameters } of parseAccept(accept ?? '')) {
    if (type !== 'application/json' && type !== 'application/*' && type !== '*/*') continue;
    if (parameters.get('as') === undefined) return undefined;
    if (parameters.get('as') !== 'APIGroupDiscoveryList' || parameters.get('g') !== 'apidiscovery.k8s.io') continue;
    const version = parameters.get('v');
    if (version !== 'v2' && version !== 'v2beta1') continue;
    return { version, mediaType: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList` };
  }
  return undefined;
}

function plain(body: object, accept: string | undefined): DiscoveryDocument {
  requireProduced(accept, MEDIA_TYPES);
  const mediaType = negotiatePlain(accept);
  if (mediaType === undefined) throw statusErrors.notAcceptableTransform(onlyAccepted(MEDIA_TYPES));
  return { body, mediaType };
}

function groupsOf(descriptors: Iterable<Descriptor>): Group[] {
  const groups = new Map<string, Map<string, Descriptor[]>>();
  for (const descriptor of descriptors) {
    const { group, version } = descriptor.type;
    const versions = groups.get(group) ?? new Map<string, Descriptor[]>();
    groups.set(group, versions);
    versions.set(version, [...(versions.get(version) ?? []), descriptor]);
  }
  return [...groups]
    .map(([name, versions]) => ({
      name,
      versions: [...versions]
        .map(([version, resources]) => ({ version, resources }))
        .sort((a, b) => compareApiVersions(b.version, a.version)),
    }))
    .sort((a, b) => groupRank(a.name) - groupRank(b.name) || (a.name < b.name ? -1 : 1));
}

/** Adds what other servers have: their groups by priority, and then by name. */
function withRemote(own: readonly Group[], remote: readonly RemoteVersion[]): Group[] {
  const groups = new Map(own.map((group) => [group.name, group]));
  const priorities = new Map<string, number>();
  const byVersion = [...remote].sort(
    (a, b) => b.versionPriority - a.versionPriority || compareApiVersions(b.version, a.version),
  );
  for (const each of byVersion) {
    const { group: name, version, groupPriority } = each;
    const { versions } = groups.get(name) ?? { versions: [] };
    if (versions.some((present) => present.version === version)) continue;
    groups.set(name, { name, versions: [...versions, { version, resources: [], remote: each }] });
    priorities.set(name, Math.max(groupPriority, priorities.get(name) ?? 0));
  }
  const priority = ({ name }: Group): number => priorities.get(name) ?? CUSTOM_PRIORITY;
  return [...groups.values()].sort(
    (a, b) => groupRank(a.name) - groupRank(b.name) || priority(b) - priority(a) || (a.name < b.name ? -1 : 1),
  );
}

/** The priority of groups of custom resources. */
const CUSTOM_PRIORITY = 1000;

function groupRank(name: string): number {
  const rank = GROUP_ORDER.indexOf(name);
  return rank < 0 ? GROUP_ORDER.length : rank;
}

function groupDocument(group: Group, alone: boolean): object {
  const versions = group.versions.map(({ version }) => ({
    groupVersion: apiVersionOf({ group: group.name, version }),
    version,
  }));
  return {
    ...(alone ? { kind: 'APIGroup', apiVersion: 'v1' } : {}),
    name: group.name,
    versions,
    preferredVersion: versions[0],
  };
}

function byResource(a: Descriptor, b: Descriptor): number {
  return a.type.resource < b.type.resource ? -1 : 1;
}

function resourceList(group: string, version: string, descriptors: readonly Descriptor[]): object {
  const resources = [...descriptors].sort(byResource).flatMap((descriptor) => {
    const { type, shortNames, categories } = descriptor;
    const whole = {
      name: type.resource,
      singularName: descriptor.singular,
      namespaced: type.namespaced,
      kind: type.kind,
      verbs: verbsOf(descriptor),
      ...(shortNames.length > 0 ? { shortNames } : {}),
      ...(categories.length > 0 ? { categories } : {}),
      ...(isStored(descriptor) ? { storageVersionHash: storageVersionHash(descriptor) } : {}),
    };
    const parts = sortedSubresources(descriptor).map(([name, subresource]) => {
      const kind = subresourceKind(descriptor, subresource);
      return {
        name: `${type.resource}/${name}`,
        singularName: '',
        namespaced: type.namespaced,
        ...(kind.group === undefined ? {} : { group: kind.group, version: kind.version }),
        kind: kind.kind,
        verbs: discoveryVerbs(subresource.verbs),
      };
    });
    return [whole, ...parts];
  });
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf({ group, version }),
    resources,
  };
}

function aggregatedVersion({ version, resources, remote }: GroupVersion): object {
  if (remote === undefined) {
    return { version, resources: [...resources].sort(byResource).map(aggregatedResource), freshness: 'Current' };
  }
  if (remote.resources === undefined) return { version, freshness: 'Stale' };
  return { version, resources: aggregatedRemote(remote.resources), freshness: 'Current' };
}

/** What another server has, with subresources below what they belong to. */
function aggregatedRemote(listed: readonly APIResource[]): object[] {
  const kindOf = ({ group = '', version = '', kind }: APIResource): object => ({ group, version, kind });
  return listed
    .filter(({ name }) => !name.includes('/'))
    .map((resource) => {
      const { name, namespaced, singularName, verbs, shortNames, categories } = resource;
      const subresources = listed
        .filter((part) => part.name.startsWith(`${name}/`))
        .map((part) => ({
          subresource: part.name.slice(name.length + 1),
          responseKind: kindOf(part),
          verbs: part.verbs,
        }));
      return {
        resource: name,
        responseKind: kindOf(resource),
        scope: namespaced ? 'Namespaced' : 'Cluster',
        singularResource: singularName,
        verbs,
        ...(shortNames === undefined ? {} : { shortNames }),
        ...(categories === undefined ? {} : { categories }),
        ...(subresources.length > 0 ? { subresources } : {}),
      };
    });
}

function aggregatedResource(descriptor: Descriptor): object {
  const { type, shortNames, categories } = descriptor;
  const subresources = sortedSubresources(descriptor).map(([name, subresource]) => {
    const { group = '', version = '', kind } = subresourceKind(descriptor, subresource);
    return { subresource: name, responseKind: { group, version, kind }, verbs: discoveryVerbs(subresource.verbs) };
  });
  return {
    resource: type.resource,
    responseKind: { group: '', version: '', kind: type.kind },
    scope: type.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: descriptor.singular,
    verbs: verbsOf(descriptor),
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}

const discoveryVerbs = (verbs: readonly Verb[]): Verb[] => [...verbs].sort();

/** Upstream lists the verbs of custom resources in an order of its own. */
const CUSTOM_ORDER: readonly Verb[] = [
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'create',
  'update',
  'watch',
];

function verbsOf({ custom, verbs }: Descriptor): Verb[] {
  return custom ? CUSTOM_ORDER.filter((verb) => verbs.includes(verb)) : discoveryVerbs(verbs);
}

function sortedSubresources(descriptor: Descriptor): [string, Subresource][] {
  if (descriptor.custom) return Object.entries(descriptor.subresources);
  return Object.entries(descriptor.subresources).sort(([a], [b]) => (a < b ? -1 : 1));
}

function subresourceKind(
  descriptor: Descriptor,
  subresource: Subresource,
): { group?: string; version?: string; kind: string } {
  switch (subresource.type) {
    case 'part':
      return { kind: descriptor.type.kind };
    case 'scale':
      return { group: 'autoscaling', version: 'v1', kind: 'Scale' };
    case 'connect':
      return { kind: subresource.kind };
    case 'action': {
      const { group, version, kind } = subresource;
      return group === descriptor.type.group && version === descriptor.type.version
        ? { kind }
        : { group, version, kind };
    }
  }
}

/** Whether there are stored objects, which nobody could have made of a resource that is only read. */
const isStored = ({ virtual, computed, verbs }: Descriptor): boolean =>
  virtual === undefined && computed === undefined && verbs.includes('create');

function storageVersionHash(descriptor: Descriptor): string {
  const type = descriptor.storedAs?.type ?? descriptor.type;
  const text = `${type.group}/${type.version}/${type.kind}`;
  return createHash('sha256').update(text).digest().subarray(0, 8).toString('base64');
}
