import type { IngressClass, IngressClassParametersReference } from '../../api/generated/networking-v1.ts';
import { ingressClasses } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isPathSegmentName } from '../../apimachinery/names.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { dnsLabel, dnsSubdomain, domainPrefixedPath, each, type Findings, unchanged } from '../validation/rules.ts';

const SPEC = FieldPath.of('spec');
const MAX_CONTROLLER = 250;
const SCOPES = ['Cluster', 'Namespace'];

/** Upstream's ValidateIngressClass. */
function* validate({ spec }: IngressClass): Findings {
  const { controller = '' } = spec;
  if (Buffer.byteLength(controller) > MAX_CONTROLLER)
    yield fieldError.tooLong(SPEC.child('controller'), MAX_CONTROLLER);
  yield* domainPrefixedPath(SPEC.child('controller'), controller);
  if (spec.parameters !== undefined) yield* validateParameters(spec.parameters, SPEC.child('parameters'));
}

function* validateParameters(reference: IngressClassParametersReference, path: FieldPath): Findings {
  const { apiGroup, kind, name, scope, namespace } = reference;
  if (apiGroup !== undefined && apiGroup !== null) yield* dnsSubdomain(path.child('apiGroup'), apiGroup);
  if (!kind) yield fieldError.required(path.child('kind'));
  else yield* each(path.child('kind'), kind, isPathSegmentName);
  if (!name) yield fieldError.required(path.child('name'));
  else yield* each(path.child('name'), name, isPathSegmentName);
  if (scope === undefined || scope === null) return yield fieldError.required(path.child('scope'));
  if (!SCOPES.includes(scope)) yield fieldError.notSupported(path.child('scope'), scope, SCOPES);
  if (scope === 'Namespace') {
    const at = path.child('namespace');
    if (namespace === undefined || namespace === null) {
      yield fieldError.required(at, "`parameters.scope` is set to 'Namespace'");
    } else yield* dnsLabel(at, namespace);
  }
  if (scope === 'Cluster' && namespace !== undefined) {
    yield fieldError.forbidden(path.child('namespace'), "`parameters.scope` is set to 'Cluster'");
  }
}

/** `IngressParameters.k8s.example/name`. */
function parametersText({ spec: { parameters } }: IngressClass): string {
  if (parameters === undefined) return '<none>';
  const { kind, apiGroup, name } = parameters;
  return `${kind}${apiGroup === undefined ? '' : `.${apiGroup}`}/${name}`;
}

export const ingressClass = describe<IngressClass>(ingressClasses, {
  generation: true,
  defaults({ spec }) {
    if (spec.parameters !== undefined) spec.parameters.scope ??= 'Cluster';
  },
  validate,
  updateSteps: ['metadata', 'change', 'object'],
  validateUpdate: ({ spec }, old) =>
    unchanged(SPEC.child('controller'), spec.controller ?? '', old.spec.controller ?? ''),
  columns: [
    nameColumn,
    {
      name: 'Controller',
      type: 'string',
      description: 'Controller that is responsible for handling this class',
      cell: ({ spec }) => spec.controller ?? '',
    },
    {
      name: 'Parameters',
      type: 'string',
      description: 'A reference to a resource with additional parameters',
      cell: parametersText,
    },
    ageColumn,
  ],
});
