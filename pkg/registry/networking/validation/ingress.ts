import type { TypedLocalObjectReference } from '../../../api/generated/core-v1.ts';
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressRule,
  IngressSpec,
  IngressTLS,
} from '../../../api/generated/networking-v1.ts';
import { fieldError, Verbatim } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import {
  isDns1035Label,
  isDns1123Subdomain,
  isPathSegmentName,
  isPortName,
  isWildcardDns1123Subdomain,
} from '../../../apimachinery/names.ts';
import { parseAddress } from '../../../base/ip.ts';
import { dnsSubdomain, each, type Findings, ipAddress, portNumber } from '../../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const INVALID_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const INVALID_ENDINGS = ['/..', '/.'];
const NOT_A_NAME = 'must be a DNS name, not an IP address';

/** Upstream's ValidateIngressCreate: the class is named in one place. */
export function* validateNewIngress({ metadata, spec }: Ingress): Findings {
  yield* validateSpec(spec, true);
  const annotated = metadata.annotations?.[CLASS_ANNOTATION];
  if (annotated !== undefined && spec.ingressClassName !== undefined && annotated !== spec.ingressClassName) {
    const text = 'must match `ingressClassName` when both are specified';
    yield fieldError.invalid(FieldPath.of('annotations').child(CLASS_ANNOTATION), annotated, text);
  }
}

/** Upstream's ValidateIngressUpdate: names of Secrets that were wrong may stay so. */
export function* validateIngressUpdate({ spec }: Ingress, old: Ingress): Findings {
  const names = (old.spec.tls ?? []).flatMap(({ secretName }) => (secretName ? [secretName] : []));
  yield* validateSpec(
    spec,
    names.every((name) => isDns1123Subdomain(name).length === 0),
  );
}

/** Upstream's ValidateIngressSpec. */
function* validateSpec(spec: IngressSpec, checkSecrets: boolean): Findings {
  const rules = spec.rules ?? [];
  if (rules.length === 0 && spec.defaultBackend === undefined) {
    const value = new Verbatim(`[]networking.IngressRule${spec.rules === undefined ? '(nil)' : '{}'}`);
    yield fieldError.invalid(SPEC, value, 'either `defaultBackend` or `rules` must be specified');
  }
  if (spec.defaultBackend !== undefined) yield* validateBackend(spec.defaultBackend, SPEC.child('defaultBackend'));
  for (const [index, rule] of rules.entries()) yield* validateRule(rule, SPEC.child('rules').index(index));
  for (const [index, tls] of (spec.tls ?? []).entries()) {
    yield* validateTls(tls, SPEC.child('tls').index(index), checkSecrets);
  }
  if (spec.ingressClassName !== undefined) yield* dnsSubdomain(SPEC.child('ingressClassName'), spec.ingressClassName);
}

function* validateHost(host: string, path: FieldPath): Findings {
  if (host.includes('*')) yield* each(path, host, isWildcardDns1123Subdomain);
  else yield* dnsSubdomain(path, host);
}

function* validateRule({ host, http }: IngressRule, path: FieldPath): Findings {
  if (host) {
    if (parseAddress(host) !== undefined) {
      yield fieldError.invalid(path.child('host'), host, NOT_A_NAME);
    }
    yield* validateHost(host, path.child('host'));
  }
  if (http === undefined) return;
  const at = path.child('http', 'paths');
  if ((http.paths ?? []).length === 0) yield fieldError.required(at);
  for (const [index, item] of (http.paths ?? []).entries()) yield* validatePath(item, at.index(index));
}

function* validatePath({ path: value = '', pathType, backend }: HTTPIngressPath, path: FieldPath): Findings {
  const at = path.child('path');
  if (pathType === null || pathType === undefined) {
    return yield fieldError.required(path.child('pathType'), 'pathType must be specified');
  }
  if (pathType === 'Exact' || pathType === 'Prefix') {
    if (!value.startsWith('/')) yield fieldError.invalid(at, value, 'must be an absolute path');
    for (const part of INVALID_SEQUENCES) {
      if (value.includes(part)) yield fieldError.invalid(at, value, `must not contain '${part}'`);
    }
    for (const ending of INVALID_ENDINGS) {
      if (value.endsWith(ending)) yield fieldError.invalid(at, value, `cannot end with '${ending}'`);
    }
  } else if (pathType === 'ImplementationSpecific') {
    if (value !== '' && !value.startsWith('/')) yield fieldError.invalid(at, value, 'must be an absolute path');
  } else yield fieldError.notSupported(path.child('pathType'), pathType, PATH_TYPES);
  yield* validateBackend(backend, path.child('backend'));
}

function* validateBackend({ resource, service }: IngressBackend, path: FieldPath): Findings {
  if (resource !== undefined && service !== undefined) {
    return yield fieldError.invalid(path, '', 'cannot set both resource and service backends');
  }
  if (resource !== undefined) {
    return yield* validateReference(resource, path.child('resource'));
  }
  if (service === undefined) return yield fieldError.invalid(path, '', 'resource or service backend is required');
  const at = path.child('service');
  if (!service.name) yield fieldError.required(at.child('name'));
  else yield* each(at.child('name'), service.name, isDns1035Label);
  const { name, number } = service.port ?? {};
  if (name && number) yield fieldError.invalid(path, '', 'cannot set both port name & port number');
  else if (name) yield* each(at.child('port', 'name'), name, isPortName);
  else if (number) yield* portNumber(at.child('port', 'number'), number);
  else yield fieldError.required(path, 'port name or number is required');
}

/** Upstream's validateIngressTypedLocalObjectReference. */
function* validateReference({ apiGroup, kind, name }: TypedLocalObjectReference, path: FieldPath): Findings {
  if (apiGroup !== undefined && apiGroup !== null) yield* dnsSubdomain(path.child('apiGroup'), apiGroup);
  for (const [field, value] of Object.entries({ kind, name })) {
    if (value) yield* each(path.child(field), value, isPathSegmentName);
    else yield fieldError.required(path.child(field));
  }
}

function* validateTls({ hosts, secretName }: IngressTLS, path: FieldPath, checkSecrets: boolean): Findings {
  for (const [index, host] of (hosts ?? []).entries()) yield* validateHost(host, path.child('hosts').index(index));
  if (checkSecrets && secretName) yield* dnsSubdomain(path.child('secretName'), secretName);
}

/** Upstream's ValidateIngressLoadBalancerStatus. */
export function* validateIngressStatus({ status }: Ingress): Findings {
  for (const [index, { ip, hostname }] of (status?.loadBalancer?.ingress ?? []).entries()) {
    const path = FieldPath.of('status', 'loadBalancer', 'ingress').index(index);
    if (ip) yield* ipAddress(path.child('ip'), ip);
    if (!hostname) continue;
    yield* dnsSubdomain(path.child('hostname'), hostname);
    if (parseAddress(hostname) !== undefined) yield fieldError.invalid(path.child('hostname'), hostname, NOT_A_NAME);
  }
}
