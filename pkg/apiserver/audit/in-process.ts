import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../../api/schema.ts';
import { StatusError } from '../../apimachinery/status-error.ts';
import { errorText } from '../../base/log.ts';
import { VERSION } from '../../base/version.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import type { ApiCore } from '../api-core.ts';
import { requireAuthorized } from '../authz/authorizer.ts';
import type { Target } from '../operations/resource-operations.ts';

/** A write of a component in the server's own process. */
export interface InProcessWrite {
  readonly user: UserInfo;
  readonly verb: 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
  readonly target: Target;
  /** Empty for collections. */
  readonly name: string;
  /** What an HTTP request would have as its body. */
  readonly body?: object | undefined;
}

/** Authorizes and carries out a write, and takes it down as if it had come by HTTP. Throws StatusError 403. */
export async function auditedWrite<T>(core: ApiCore, write: InProcessWrite, work: () => Promise<T>): Promise<T> {
  const { user, verb, target, name, body } = write;
  const { group, version, resource } = target.descriptor.type;
  const namespace = target.namespace ?? '';
  const subresource = target.subresource ?? '';
  const attributes = { verb, resource, subresource, namespace, name };
  const path = pathOf(write);
  const record = core.auditor?.begin({
    id: randomUUID(),
    uri: path,
    info: { ...attributes, isResource: true, path, group, version },
    user,
    sourceIPs: ['127.0.0.1'],
    userAgent: `kedge/${VERSION}`,
  });
  record?.received();
  try {
    requireAuthorized(core.authorizer, { ...attributes, user, apiGroup: group, apiVersion: version }, record);
    if (record === undefined) return await work();
    if (body !== undefined) {
      if (verb === 'create' || verb === 'update') record.request(body as JsonObject);
      else record.raw(body as JsonObject);
    }
    const result = await work();
    if (typeof result === 'object' && result !== null) record.response(result);
    record.complete(verb === 'create' ? 201 : 200);
    return result;
  } catch (error) {
    if (error instanceof StatusError) {
      record?.response(error.status);
      record?.complete(error.code);
    } else record?.panic(errorText(error));
    throw error;
  }
}

function pathOf({ target, name }: InProcessWrite): string {
  const { group, version, resource } = target.descriptor.type;
  const namespace = target.namespace === undefined ? [] : ['namespaces', target.namespace];
  const base = group === '' ? ['api', version] : ['apis', group, version];
  const parts = [...base, ...namespace, resource, name, target.subresource ?? ''].filter((part) => part !== '');
  return `/${parts.map(encodeURIComponent).join('/')}`;
}
