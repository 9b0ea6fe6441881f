import type { Scale } from '../api/generated/autoscaling-v1.ts';
import type { JsonObject } from '../api/schema.ts';
import { apiVersionOf } from '../api/types.ts';
import { goQuote } from '../apimachinery/go-quote.ts';
import { setPath } from '../apimachinery/json-path.ts';
import { statusErrors } from '../apimachinery/status-error.ts';
import type { ScaleAccess, ScaleKind, ScaleTarget } from '../client/scale.ts';
import type { Descriptor, ScaleSubresource } from '../registry/descriptor.ts';
import type { UserInfo } from '../registry/user-info.ts';
import type { ApiCore } from './api-core.ts';
import { auditedWrite } from './audit/in-process.ts';
import { requireAuthorized } from './authz/authorizer.ts';
import { scaleOf } from './handlers/scale.ts';
import { objectOf } from './http/representation.ts';

interface Scaled {
  readonly descriptor: Descriptor;
  readonly subresource: ScaleSubresource;
}

/** The scales of objects for a component in the server's own process, with the rights of `user`. */
export class InProcessScales implements ScaleAccess {
  readonly #core: ApiCore;
  readonly #user: UserInfo;

  constructor(core: ApiCore, user: UserInfo) {
    this.#core = core;
    this.#user = user;
  }

  async get({ name, namespace, ...kind }: ScaleTarget): Promise<Scale> {
    const { descriptor, subresource } = this.#find(kind);
    this.#authorize('get', descriptor, name, namespace);
    const stored = this.#core.operations.get({ descriptor, namespace }, name);
    return scaleOf(objectOf(descriptor, stored), subresource);
  }

  async update(kind: ScaleKind, scale: Scale): Promise<Scale> {
    const { descriptor, subresource } = this.#find(kind);
    const { name, namespace = '', resourceVersion } = scale.metadata;
    const target = { descriptor, namespace, subresource: 'scale' };
    return auditedWrite(this.#core, { user: this.#user, verb: 'update', target, name, body: scale }, async () => {
      const stored = await this.#core.operations.update(
        target,
        name,
        (_live, draft) => {
          setPath(draft as unknown as JsonObject, subresource.specReplicas, scale.spec.replicas ?? 0);
          draft.metadata.resourceVersion = resourceVersion || draft.metadata.resourceVersion;
          return draft;
        },
        { user: this.#user, dryRun: false, fieldManager: 'kedge', warn: () => {} },
      );
      return scaleOf(objectOf(descriptor, stored), subresource);
    });
  }

  /** The resource of a kind; a reference without a version means the preferred one's. */
  #find({ apiVersion, kind }: ScaleKind): Scaled {
    for (const descriptor of this.#core.registry.all()) {
      const { type } = descriptor;
      if (type.kind !== kind || apiVersionOf(type) !== (apiVersion || 'v1')) continue;
      const subresource = Object.hasOwn(descriptor.subresources, 'scale')
        ? descriptor.subresources['scale']
        : undefined;
      if (subresource?.type !== 'scale') throw statusErrors.pathNotFound();
      return { descriptor, subresource };
    }
    const [group = ''] = apiVersion.includes('/') ? apiVersion.split('/') : [''];
    throw new Error(`no matches for kind ${goQuote(kind)} in group ${goQuote(group)}`);
  }

  #authorize(verb: string, { type }: Descriptor, name: string, namespace: string): void {
    requireAuthorized(this.#core.authorizer, {
      user: this.#user,
      verb,
      apiGroup: type.group,
      apiVersion: type.version,
      resource: type.resource,
      subresource: 'scale',
      namespace,
      name,
    });
  }
}
