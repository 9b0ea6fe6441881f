import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressRule,
  IngressTLS,
} from '../../../api/generated/networking-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import { FieldPath } from '../../../apimachinery/field-path.ts';
import { isDns1035Label, isPortName, isWildcardDns1123Subdomain } from '../../../apimachinery/names.ts';
import { parseAddress } from '../../../base/ip.ts';
import { dnsSubdomain, each, type Findings, portNumber } from '../../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';
const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const INVALID_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const INVALID_ENDINGS = ['/..', '/.'];

/** Upstream's ValidateIngressCreate: the class is named in one place. */
export function* validateIngressCreate({ metadata, spec }: Ingress): Findings {
  const annotated = metadata.annotations?.[CLASS_ANNOTATION];
  if (annotated !== undefined && spec.ingressClassName !== undefined && annotated !== spec.ingressClassName) {
    const text = 'must match `ingressClassName` when both are specified';
    yield fieldError.invalid(FieldPath.of('annotations').child(CLASS_ANNOTATION), annotated, text);
  }
}

/** Upstream's ValidateIngressSpec. */
export function* validateIngress({ spec }: Ingress): Findings {
  const rules = spec.rules ?? [];
  if (rules.length === 0 && spec.defaultBackend === undefined) {
    yield fieldError.invalid(SPEC, rules as never, 'either `defaultBackend` or `rules` must be specified');
  }
  if (spec.defaultBackend !== undefined) yield* validateBackend(spec.defaultBackend, SPEC.child('defaultBackend'));
  for (const [index, rule] of rules.entries()) yield* validateRule(rule, SPEC.child('rules').index(index));
  for (const [index, tls] of (spec.tls ?? []).entries()) yield* validateTls(tls, SPEC.child('tls').index(index));
  if (spec.ingressClassName !== undefined) yield* dnsSubdomain(SPEC.child('ingressClassName'), spec.ingressClassName);
}

function* validateHost(host: string, path: FieldPath): Findings {
  if (host.includes('*')) yield* each(path, host, isWildcardDns1123Subdomain);
  else yield* dnsSubdomain(path, host);
}

function* validateRule({ host, http }: IngressRule, path: FieldPath): Findings {
  if (host) {
    if (parseAddress(host) !== undefined) {
      yield fieldError.invalid(path.child('host'), host, 'must be a DNS name, not an IP address');
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
    yield fieldError.required(path.child('pathType'), 'pathType must be specified');
  } else if (pathType === 'Exact' || pathType === 'Prefix') {
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
    if (!resource.kind) yield fieldError.required(path.child('resource', 'kind'));
    if (!resource.name) yield fieldError.required(path.child('resource', 'name'));
    return;
  }
  if (service === undefined) return yield fieldError.required(path, 'resource or service backend is required');
  const at = path.child('service');
  if (!service.name) yield fieldError.required(at.child('name'));
  else yield* each(at.child('name'), service.name, isDns1035Label);
  const { name, number } = service.port ?? {};
  if (name && number) yield fieldError.invalid(path, '', 'cannot set both port name & port number');
  else if (name) yield* each(at.child('port', 'name'), name, isPortName);
  else if (number) yield* portNumber(at.child('port', 'number'), number);
  else yield fieldError.required(path, 'port name or number is required');
}

function* validateTls({ hosts }: IngressTLS, path: FieldPath): Findings {
  for (const [index, host] of (hosts ?? []).entries()) yield* validateHost(host, path.child('hosts').index(index));
}
