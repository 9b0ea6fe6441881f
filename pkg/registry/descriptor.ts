import { schemaOf } from '../api/facts.ts';
import type { JsonObject, StructSchema } from '../api/schema.ts';
import type { Input, KubeObject, ResourceType } from '../api/types.ts';
import type { FieldError } from '../apimachinery/field-error.ts';
import { type NameCheck, nameIsDnsSubdomain } from '../apimachinery/names.ts';
import type { UserInfo } from './user-info.ts';

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

export const ALL_VERBS: readonly Verb[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];

/** What the hooks of a descriptor may know beside the objects. */
export interface WriteContext {
  readonly user: UserInfo;
  /** RFC 3339, seconds: the time of the request. */
  readonly now: string;
}

/** Reads and writes of other objects from within an action or an allocating hook, with the server's own authority. */
export interface RegistryAccess {
  /** Throws NotFound when the server has no such resource. */
  describe(type: ResourceType): Descriptor;
  get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): T | undefined;
  list<T extends KubeObject>(type: ResourceType<T>, namespace?: string): readonly T[];
  /** Reads, changes and writes until no other writer came between; throws NotFound. */
  mutate<T extends KubeObject>(
    type: ResourceType<T>,
    name: string,
    namespace: string | undefined,
    change: (draft: T) => void,
    options?: { readonly subresource?: string },
  ): Promise<T>;
  remove(type: ResourceType, name: string, namespace: string | undefined, options: JsonObject): Promise<void>;
}

export interface ActionCall {
  readonly name: string;
  readonly namespace: string;
  readonly body: JsonObject;
  readonly user: UserInfo;
  readonly now: string;
  readonly dryRun: boolean;
  readonly registry: RegistryAccess;
}

/**
 * A step of judging an update: the change of the metadata, the whole object as if it were new (its metadata, too), its
 * content alone, the change of the content.
 */
export type UpdateStep = 'metadata' | 'object' | 'content' | 'change';

/** Another view of the same object: `status`, `finalize`, `approval`, `ephemeralcontainers`, `resize`. */
export interface PartSubresource<T extends KubeObject = KubeObject> {
  readonly type: 'part';
  readonly verbs: readonly Verb[];
  /** Copies from `submitted` into `draft` (a copy of the live object) what this view may change. */
  take(draft: T, submitted: T, context: WriteContext): void;
  validate?(object: T, old: T): Iterable<FieldError>;
  /** Parts of metadata this view leaves as they are: some of them, or all that a client may set. */
  readonly keepsMetadata?: 'all' | readonly ('labels' | 'ownerReferences')[];
  /** Paths of fields this view does not let its writers set (`spec`), as server-side apply has to know. */
  readonly resets: readonly string[];
}

/** Takes one kind and answers with another: `binding`, `eviction`, `token`. */
export interface ActionSubresource {
  readonly type: 'action';
  readonly verbs: readonly ['create'];
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: StructSchema;
  /** Older versions of the kind that are taken all the same. */
  readonly olderVersions?: readonly string[];
  /** Fills in what the body leaves out. */
  defaults?(body: JsonObject): void;
  run(call: ActionCall): Promise<object>;
}

/** autoscaling/v1 Scale over three paths of the object. */
export interface ScaleSubresource {
  readonly type: 'scale';
  readonly verbs: readonly Verb[];
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  /** Objects without a replica count have no scale to read (custom resources); elsewhere it counts as 0. */
  readonly mayLackReplicas?: boolean;
  /** Path of a LabelSelector, a label map or a selector string. */
  readonly selector: readonly string[] | undefined;
}

/** A stream or a foreign answer: `log`, `exec`, `attach`, `portforward`, `proxy`; served by pkg/apiserver/connect. */
export interface ConnectSubresource {
  readonly type: 'connect';
  /** RBAC verbs discovery shows: `get` and `create`, or all of them for proxies. */
  readonly verbs: readonly Verb[];
  /** The kind discovery names: `Pod` for logs, `PodExecOptions` for exec. */
  readonly kind: string;
}

export type Subresource<T extends KubeObject = KubeObject> =
  | PartSubresource<T>
  | ActionSubresource
  | ScaleSubresource
  | ConnectSubresource;

/** Reads the value a field selector compares. A method type: descriptors of particular kinds stay assignable to Descriptor. */
export interface FieldReader<T extends KubeObject> {
  read(object: T): string;
}

/** A column of `kubectl get`: upstream's printers. `priority` 1 shows only with `-o wide`. */
export interface Column<T extends KubeObject = KubeObject> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly description?: string;
  /** In place of a description: type and field of the API whose text describes the column. */
  readonly doc?: readonly [type: string, field: string];
  readonly priority?: number;
  cell(object: T, now: number): string | number | boolean | null;
}

/** Where the objects of a computed resource come from; they have no uid and no resourceVersion. */
export interface ComputedObjects<T extends KubeObject = KubeObject> {
  /** Those of one namespace, or of all of them; sorted by nobody, selected by nobody. */
  list(namespace: string | undefined): Promise<readonly Input<T>[]>;
}

/**
 * Everything that is particular to one resource. Routes, storage, watch, patch, tables, discovery, OpenAPI and RBAC
 * attributes are generic and read descriptors; a CRD makes the same kind of descriptor at run time.
 */
export interface Descriptor<T extends KubeObject = KubeObject> {
  readonly type: ResourceType<T>;
  readonly schema: StructSchema;
  readonly listKind: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  /** Whether objects of this kind carry kind and apiVersion inside lists (custom resources do). */
  readonly custom: boolean;
  /** Custom resources: the apiVersions that their definition names. */
  readonly versions?: readonly string[];
  /** Custom resources: the OpenAPI schema that their definition gives, as it is published. */
  readonly openapi?: JsonObject;
  /** Lazy writes may be lost in a crash (Leases, Events); see WriteOptions of the datastore. */
  readonly durability: 'durable' | 'lazy';
  /** Seconds an object lives after its last write; Events. */
  readonly ttlSeconds?: number;
  /** The revision at which the resource came to be; there is nothing to watch from before. */
  readonly historyBegins?: number;
  /** Another version of the same objects (autoscaling/v1 beside v2): where they are stored and how they convert. */
  readonly storedAs?: {
    readonly type: ResourceType;
    readonly toStored: (object: JsonObject) => JsonObject;
    readonly fromStored: (object: JsonObject) => JsonObject;
  };
  /** metadata.generation starts at 1 and moves when something outside metadata and status changes. */
  readonly generation: boolean;
  /** Parts of metadata that move it, too. */
  readonly generationFollows?: readonly ('annotations' | 'labels')[];
  readonly subresources: Readonly<Record<string, Subresource<T>>>;
  /** Paths of fields writers of the whole object cannot set; `status` where there is such a view. */
  readonly resets?: readonly string[];
  /** Fills in what the schema's defaults do not (upstream's SetDefaults_ functions); `draft` is the caller's own. */
  defaults?(draft: T): void;
  /** Clears and sets what a creator has no say in (status, allocated fields). */
  prepareForCreate?(draft: T, context: WriteContext): void;
  prepareForUpdate?(draft: T, old: T, context: WriteContext): void;
  /** Fills in, after validation of a new object, what upstream's defaults find only when they read what was stored. */
  complete?(draft: T): void;
  /** Changes the object when a DELETE only marks it. */
  prepareForDelete?(draft: T, now: string): void;
  /** Whether something beside metadata.finalizers keeps a marked object (a namespace's spec.finalizers). */
  holdsDeletion?(object: T): boolean;
  /** The creator's status is kept: a kubelet registers its Node with capacity and conditions. */
  readonly keepsStatusOnCreate?: boolean;
  readonly validateName: NameCheck;
  /** What holds for every object, new or changed. */
  validate?(object: T): Iterable<FieldError>;
  /** What holds for new objects besides. */
  validateCreate?(object: T): Iterable<FieldError>;
  validateUpdate?(object: T, old: T): Iterable<FieldError>;
  /**
   * In which order upstream's strategy judges an update; every step tells all that it finds, be it once more. The generic
   * registry has judged the change of the metadata before.
   */
  readonly updateSteps?: readonly UpdateStep[];
  /** What of metadata a write of `status` leaves as it is. Upstream's status strategies differ in it, kind by kind. */
  readonly statusKeepsMetadata?: PartSubresource['keepsMetadata'];
  /** Judges a write of `status`. */
  validateStatus?(object: T, old: T): Iterable<FieldError>;
  /** Texts for the client about what is valid but deprecated or useless. */
  warnings?(object: T, old: T | undefined): Iterable<string>;
  /** Field selectors beyond metadata.name and metadata.namespace. */
  readonly selectableFields: Readonly<Record<string, FieldReader<T>>>;
  /** What is told to who selects by another field, where upstream words it for the kind. */
  unselectableField?(field: string): string;
  readonly columns: readonly Column<T>[];
  /** The object as the rows of tables carry it. */
  inTables?(object: T): T;
  /** The order of the rows of a table, where it is not that of the names. */
  compareRows?(a: T, b: T): number;
  /** What a table says of an object's row (`Completed`). */
  rowConditions?(object: T): readonly object[] | undefined;
  /** Told to who deletes without saying what becomes of dependents. */
  readonly deleteWarning?: string;
  /** The grace period of a DELETE in seconds; 0 deletes at once. Pods only. */
  deletionGrace?(object: T, requested: number | undefined): number;
  /** A DELETE that leaves dependents as they are unless told otherwise (upstream: ReplicationController, Job v1beta). */
  readonly orphansByDefault?: boolean;
  /** PUT of a name that does not exist creates it (Lease, Event, RBAC kinds, …). */
  readonly allowCreateOnUpdate: boolean;
  /** PUT without resourceVersion overwrites whatever is there. */
  readonly allowUnconditionalUpdate: boolean;
  /** A virtual resource that is answered, not stored: reviews, componentstatuses, bindings. */
  virtual?(call: ActionCall): Promise<object>;
  /** Objects that are worked out when somebody asks (metrics): nothing is stored, nothing can be watched. */
  readonly computed?: ComputedObjects<T>;
  /** What clients are told, as a warning, because upstream has deprecated the version. */
  readonly deprecation?: string;
  /** A DELETE that removes at once answers with the object instead of a Status. */
  readonly returnsDeleted: boolean;
}

type Optional =
  | 'schema'
  | 'listKind'
  | 'singular'
  | 'shortNames'
  | 'categories'
  | 'verbs'
  | 'custom'
  | 'durability'
  | 'generation'
  | 'subresources'
  | 'selectableFields'
  | 'columns'
  | 'allowCreateOnUpdate'
  | 'returnsDeleted'
  | 'validateName'
  | 'allowUnconditionalUpdate';

export type DescriptorInput<T extends KubeObject> = Omit<Descriptor<T>, Optional | 'type'> &
  Partial<Pick<Descriptor<T>, Optional>> & { readonly schemaName?: string };

/** `networking.k8s.io` → `networking`, the first part of type names in the facts table. */
export function factsGroup(group: string): string {
  if (group === '') return 'core';
  const first = group.split('.')[0] ?? group;
  return first;
}

/** Completes a descriptor with what follows from the resource type and the facts. */
export function describe<T extends KubeObject>(type: ResourceType<T>, given: DescriptorInput<T>): Descriptor<T> {
  const { schemaName, ...rest } = given;
  const schema = given.schema ?? schemaOf(schemaName ?? `${factsGroup(type.group)}.${type.version}.${type.kind}`);
  const hasSpec = schema.fields.has('spec');
  const hasStatus = hasSpec && schema.fields.has('status') && given.virtual === undefined;
  return {
    type,
    schema,
    listKind: `${type.kind}List`,
    singular: type.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    verbs: given.virtual === undefined ? ALL_VERBS : ['create'],
    custom: false,
    durability: 'durable',
    generation: hasStatus,
    selectableFields: {},
    columns: nameAndAge,
    allowCreateOnUpdate: false,
    returnsDeleted: false,
    validateName: nameIsDnsSubdomain,
    allowUnconditionalUpdate: true,
    ...rest,
    subresources: {
      ...(hasStatus ? { status: statusPart<T>(given.validateStatus, given.statusKeepsMetadata) } : {}),
      ...given.subresources,
    },
  };
}

/** The `status` view: takes status from the submitted object and what of metadata it does not keep. */
export function statusPart<T extends KubeObject>(
  validate?: PartSubresource<T>['validate'],
  keepsMetadata: PartSubresource['keepsMetadata'] = [],
): PartSubresource<T> {
  const kept = keepsMetadata === 'all' ? ['metadata'] : keepsMetadata.map((field) => `metadata.${field}`);
  return {
    ...(validate === undefined ? {} : { validate }),
    keepsMetadata,
    type: 'part',
    verbs: ['get', 'patch', 'update'],
    take: (draft, submitted) => {
      const target = draft as { status?: unknown };
      target.status = (submitted as { status?: unknown }).status;
    },
    resets: ['spec', ...kept],
  };
}

const nameAndAge: readonly Column[] = [
  {
    name: 'Name',
    type: 'string',
    format: 'name',
    doc: ['meta.v1.ObjectMeta', 'name'],
    cell: (object) => object.metadata.name,
  },
  {
    name: 'Created At',
    type: 'date',
    doc: ['meta.v1.ObjectMeta', 'creationTimestamp'],
    cell: (object) => object.metadata.creationTimestamp,
  },
];
