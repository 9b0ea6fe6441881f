import type { IPAddress } from '../../api/generated/networking-v1.ts';
import { ipAddresses } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { isPathSegmentName } from '../../apimachinery/names.ts';
import { nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { isCanonicalIP } from '../validation/ip.ts';
import { dnsSubdomain, each, type Findings, unchanged } from '../validation/rules.ts';

const PARENT = FieldPath.of('spec', 'parentRef');

/** Upstream's ValidateIPAddress. */
function* validate({ spec }: IPAddress): Findings {
  const parent = spec.parentRef;
  if (parent === undefined) return yield fieldError.required(PARENT);
  if (parent.group) yield* dnsSubdomain(PARENT.child('group'), parent.group);
  for (const field of ['resource', 'name'] as const) {
    if (parent[field]) yield* each(PARENT.child(field), parent[field], isPathSegmentName);
    else yield fieldError.required(PARENT.child(field));
  }
  if (parent.namespace) yield* each(PARENT.child('namespace'), parent.namespace, isPathSegmentName);
}

/** `services/default/kubernetes`. */
function parentText({ spec: { parentRef } }: IPAddress): string {
  if (parentRef === undefined) return '<none>';
  const { resource = '', group, namespace, name } = parentRef;
  const kind = `${resource}${group ? `.${group}` : ''}`.toLowerCase();
  return [kind, ...(namespace ? [namespace] : []), name].join('/');
}

export const ipAddress = describe<IPAddress>(ipAddresses, {
  shortNames: ['ip'],
  validateName: (name) => isCanonicalIP(name),
  validate,
  validateUpdate: ({ spec }, old) => unchanged(PARENT, spec.parentRef, old.spec.parentRef),
  updateSteps: ['object', 'metadata', 'change'],
  selectableFields: {},
  columns: [
    nameColumn,
    { name: 'ParentRef', type: 'string', doc: ['networking.v1.IPAddressSpec', 'parentRef'], cell: parentText },
  ],
});
