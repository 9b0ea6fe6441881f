import type { JsonObject } from '../api/schema.ts';
import type { KubeObject, ResourceType } from '../api/types.ts';
import { cannotHandle, DecodeError } from '../apimachinery/decode.ts';
import { statusErrors } from '../apimachinery/status-error.ts';
import { formatTime } from '../apimachinery/time.ts';
import type { Clock } from '../base/clock.ts';
import type { ActionCall, Descriptor, RegistryAccess } from '../registry/descriptor.ts';
import type { UserInfo } from '../registry/user-info.ts';
import type { Auditor } from './audit/auditor.ts';
import { LOOPBACK_USER } from './authn/user.ts';
import type { Authorizer } from './authz/attributes.ts';
import { WatchMetrics } from './handlers/watch-metrics.ts';
import { completeObject, decodeFields } from './http/codec.ts';
import type { ManagedFields } from './operations/managed-fields.ts';
import type { ResourceOperations } from './operations/resource-operations.ts';
import type { ResourceRegistry } from './resource-registry.ts';

export interface ApiCoreOptions {
  readonly registry: ResourceRegistry;
  readonly operations: ResourceOperations;
  readonly authorizer: Authorizer;
  readonly managedFields: ManagedFields;
  readonly clock: Clock;
  /** Takes down who did what; undefined when nobody wants to know. */
  readonly auditor?: Auditor | undefined;
}

/** The API without a network: what HTTP handlers and in-process clients share. */
export class ApiCore {
  readonly registry: ResourceRegistry;
  readonly operations: ResourceOperations;
  readonly authorizer: Authorizer;
  readonly managedFields: ManagedFields;
  readonly clock: Clock;
  readonly auditor: Auditor | undefined;
  readonly watchMetrics = new WatchMetrics();
  readonly access: RegistryAccess;

  constructor(options: ApiCoreOptions) {
    this.registry = options.registry;
    this.operations = options.operations;
    this.authorizer = options.authorizer;
    this.managedFields = options.managedFields;
    this.clock = options.clock;
    this.auditor = options.auditor;
    this.access = registryAccess(options.registry, options.operations);
  }

  /** An object as a component wrote it, checked against its schema and defaulted. Throws BadRequest. */
  typed(descriptor: Descriptor, object: JsonObject): KubeObject {
    try {
      return completeObject(descriptor, decodeFields(object, descriptor).value);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw cannotHandle(descriptor.type.kind, descriptor.type.version, error.message);
    }
  }

  /** The input of an action subresource or a virtual resource. */
  actionCall(name: string, namespace: string, body: JsonObject, user: UserInfo, dryRun: boolean): ActionCall {
    return { name, namespace, body, user, now: formatTime(this.clock.now()), dryRun, registry: this.access };
  }
}

const OWN_WRITE = { user: LOOPBACK_USER, dryRun: false, fieldManager: 'kedge', warn: (): void => {} };

function registryAccess(registry: ResourceRegistry, operations: ResourceOperations): RegistryAccess {
  const describe = (type: ResourceType): Descriptor => {
    const descriptor = registry.find(type.group, type.version, type.resource);
    if (descriptor === undefined) throw statusErrors.pathNotFound();
    return descriptor;
  };
  return {
    describe,
    get: (type, name, namespace) => operations.store.get(type, name, namespace)?.object,
    list: (type, namespace) => operations.store.list(type, namespace).map((stored) => stored.object),
    async mutate<T extends KubeObject>(
      type: ResourceType<T>,
      name: string,
      namespace: string | undefined,
      change: (draft: T) => void,
      options: { readonly subresource?: string } = {},
    ): Promise<T> {
      const target = { descriptor: describe(type), namespace, ...options };
      const stored = await operations.update(
        target,
        name,
        (_live, draft) => {
          change(draft as T);
          return draft;
        },
        OWN_WRITE,
      );
      return stored.object as T;
    },
    async remove(type, name, namespace, options) {
      await operations.delete({ descriptor: describe(type), namespace }, name, { ...OWN_WRITE, ...options });
    },
  };
}
