/** A Node's source of its kubelet's configuration: a feature of the past, whose rules upstream has kept. */
import type { ConfigMapNodeConfigSource, NodeConfigSource, NodeConfigStatus } from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isConfigMapKey } from '../../../apimachinery/names.ts';
import { dnsLabel, dnsSubdomain, each, type Findings, required } from '../../validation/rules.ts';

type Place = 'spec' | 'status';

/** Upstream's validateNodeConfigSourceSpec and validateNodeConfigSourceStatus. */
export function* validateConfigSource(source: NodeConfigSource, place: Place, path: FieldPath): Findings {
  if (source.configMap !== undefined) yield* validateConfigMap(source.configMap, place, path.child('configMap'));
  else yield fieldError.invalid(path, source as never, 'exactly one reference subfield must be non-nil');
}

/** Upstream's validateNodeConfigStatus. */
export function* validateConfigStatus(status: NodeConfigStatus, path: FieldPath): Findings {
  for (const field of ['assigned', 'active', 'lastKnownGood'] as const) {
    const source = status[field];
    if (source !== undefined) yield* validateConfigSource(source, 'status', path.child(field));
  }
}

/** The version of the map is chosen in the status, not in the spec. */
function* validateConfigMap(source: ConfigMapNodeConfigSource, place: Place, path: FieldPath): Findings {
  for (const field of ['uid', 'resourceVersion'] as const) {
    if (place === 'status') yield* required(path.child(field), source[field]);
    else if (source[field]) yield fieldError.forbidden(path.child(field), `${field} must not be set in spec`);
  }
  const { namespace, name, kubeletConfigKey: key } = source;
  if (!namespace) yield fieldError.required(path.child('namespace'));
  else yield* dnsLabel(path.child('namespace'), namespace);
  if (!name) yield fieldError.required(path.child('name'));
  else yield* dnsSubdomain(path.child('name'), name);
  if (!key) yield fieldError.required(path.child('kubeletConfigKey'));
  else yield* each(path.child('kubeletConfigKey'), key, isConfigMapKey);
}
