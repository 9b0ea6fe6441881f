import type { IPAddress } from '../../api/generated/networking-v1.ts';
import { ipAddresses } from '../../api/resources.ts';
import { fieldError } from '../../apimachinery/field-error.ts';
import { FieldPath } from '../../apimachinery/field-path.ts';
import { parseAddress } from '../../base/ip.ts';
import { ageColumn, nameColumn } from '../columns.ts';
import { describe } from '../descriptor.ts';
import { type Findings, required, unchanged } from '../validation/rules.ts';

const PARENT = FieldPath.of('spec', 'parentRef');

/** Upstream's ValidateIPAddress. */
function* validate({ spec }: IPAddress): Findings {
  const parent = spec.parentRef;
  if (parent === undefined) return yield fieldError.required(PARENT);
  yield* required(PARENT.child('resource'), parent.resource);
  yield* required(PARENT.child('name'), parent.name);
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
  allowUnconditionalUpdate: false,
  validateName: (name) => (parseAddress(name) === undefined ? ['must be a valid IP address in canonical form'] : []),
  validate,
  validateUpdate: ({ spec }, old) => unchanged(PARENT, spec.parentRef, old.spec.parentRef),
  selectableFields: {},
  columns: [
    nameColumn,
    { name: 'ParentRef', type: 'string', doc: ['networking.v1.IPAddressSpec', 'parentRef'], cell: parentText },
    ageColumn,
  ],
});
