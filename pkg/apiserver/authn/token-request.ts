import type { BoundObjectReference, TokenRequest } from '../../api/generated/authentication-v1.ts';
import type { Pod } from '../../api/generated/core-v1.ts';
import type { JsonObject } from '../../api/schema.ts';
import type { Input, KubeObject } from '../../api/types.ts';
import { type FieldError, fieldError } from '../../apimachinery/field-error.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import { formatTime } from '../../apimachinery/time.ts';
import {
  DEFAULT_EXPIRATION_SECONDS,
  MAX_EXPIRATION_SECONDS,
  MIN_EXPIRATION_SECONDS,
  type Reference,
  type TokenIssuer,
} from './token-issuer.ts';

/** Finds what a token is asked for and bound to; undefined when there is none of that name. */
export interface TokenObjects {
  serviceAccount(namespace: string, name: string): KubeObject | undefined;
  pod(namespace: string, name: string): Pod | undefined;
  secret(namespace: string, name: string): KubeObject | undefined;
  node(name: string): KubeObject | undefined;
}

/** A TokenRequest posted to `serviceaccounts/<name>/token`. */
export interface TokenCall {
  readonly name: string;
  readonly namespace: string;
  readonly body: JsonObject;
  /** RFC 3339. */
  readonly now: string;
}

const KIND = { group: 'authentication.k8s.io', kind: 'TokenRequest' };

interface Binding {
  readonly pod?: Reference;
  readonly secret?: Reference;
  readonly node?: Reference;
}

function referenceTo({ metadata: { name, uid } }: KubeObject): Reference {
  return { name, uid };
}

function found<T extends KubeObject>(object: T | undefined, resource: string, name: string): T {
  if (object === undefined) throw statusErrors.notFound({ group: '', resource }, name);
  return object;
}

function validate({ metadata }: Input<TokenRequest>, call: TokenCall): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, what] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
  ] as const) {
    const value = metadata?.[key];
    if (value && value !== call[key]) {
      errors.push(fieldError.invalid(`metadata.${key}`, value, `must match the service account ${what} if specified`));
    }
  }
  return errors;
}

function validateExpiration(seconds: number): FieldError[] {
  const refuse = (detail: string): FieldError[] => [fieldError.invalid('spec.expirationSeconds', seconds, detail)];
  if (seconds < MIN_EXPIRATION_SECONDS) return refuse('may not specify a duration less than 10 minutes');
  if (seconds > MAX_EXPIRATION_SECONDS) return refuse('may not specify a duration larger than 2^32 seconds');
  return [];
}

function bind(reference: Input<BoundObjectReference>, call: TokenCall, objects: TokenObjects): Binding {
  const { apiVersion = '', kind = '', name = '', uid } = reference;
  const target = `${apiVersion}/${kind}`;
  let bound: Binding;
  if (target === 'v1/Pod') {
    const pod = found(objects.pod(call.namespace, name), 'pods', name);
    if (pod.spec.serviceAccountName !== call.name) {
      throw statusErrors.badRequest(
        `cannot bind token for serviceaccount ${goQuote(call.name)} to pod running with different serviceaccount name.`,
      );
    }
    const node = pod.spec.nodeName ? objects.node(pod.spec.nodeName) : undefined;
    bound = { pod: referenceTo(pod), ...(node !== undefined && { node: referenceTo(node) }) };
  } else if (target === 'v1/Secret') {
    bound = { secret: referenceTo(found(objects.secret(call.namespace, name), 'secrets', name)) };
  } else if (target === 'v1/Node') {
    bound = { node: referenceTo(found(objects.node(name), 'nodes', name)) };
  } else {
    const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
    throw statusErrors.badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${kind}`);
  }
  const actual = (bound.pod ?? bound.secret ?? bound.node)?.uid;
  if (uid && uid !== actual) {
    throw statusErrors.conflict(
      { group: '', resource: kind },
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  return bound;
}

/**
 * Answers a TokenRequest with a token of the service account, bound to the object asked for; upstream's `token`
 * subresource. Throws StatusError 400, 404, 409 or 422.
 */
export function requestToken(call: TokenCall, issuer: TokenIssuer, objects: TokenObjects): object {
  const body = call.body as Input<TokenRequest>;
  const nameErrors = validate(body, call);
  if (nameErrors.length > 0) throw statusErrors.invalid(KIND, call.name, nameErrors);
  const account = found(objects.serviceAccount(call.namespace, call.name), 'serviceaccounts', call.name);
  const expirationSeconds = body.spec?.expirationSeconds ?? DEFAULT_EXPIRATION_SECONDS;
  const errors = validateExpiration(expirationSeconds);
  if (errors.length > 0) throw statusErrors.invalid(KIND, '', errors);
  const reference = body.spec?.boundObjectRef ?? undefined;
  const issued = issuer.issueServiceAccountToken({
    namespace: call.namespace,
    serviceAccount: referenceTo(account),
    audiences: body.spec?.audiences ?? [],
    expirationSeconds,
    ...(reference !== undefined && bind(reference, call, objects)),
  });
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { ...body.metadata, name: call.name, namespace: call.namespace, creationTimestamp: call.now },
    spec: { audiences: issued.audiences, expirationSeconds, boundObjectRef: reference ?? null },
    status: { token: issued.token, expirationTimestamp: formatTime(issued.expiration) },
  };
}
