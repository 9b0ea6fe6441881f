import type { NodeSelectorTerm } from '../../api/generated/core-v1.ts';
import type { LabelSelector } from '../../api/generated/meta-v1.ts';
import type { FieldPath } from '../../apimachinery/field-path.ts';
import { isLabelValue } from '../../apimachinery/names.ts';

/** Labels of nodes that have got other names. */
const DEPRECATED: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods': 'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
};

/** What is told to who uses the label; undefined when it is not deprecated. */
export const nodeLabelWarning = (key: string): string | undefined =>
  Object.hasOwn(DEPRECATED, key) ? DEPRECATED[key] : undefined;

/** Upstream's GetWarningsForNodeSelectorTerm. */
export function* nodeSelectorTermWarnings(
  { matchExpressions = [] }: NodeSelectorTerm,
  path: FieldPath,
  checksValues: boolean,
): Generator<string, void> {
  for (const [index, { key, values }] of matchExpressions.entries()) {
    const at = path.child('matchExpressions').index(index);
    const warning = nodeLabelWarning(key);
    if (warning !== undefined) yield `${at.child('key')}: ${key} is ${warning}`;
    if (!checksValues) continue;
    for (const [position, value] of (values ?? []).entries()) {
      for (const text of isLabelValue(value))
        yield `${at.child('values').index(position)}: ${value} is invalid, ${text}`;
    }
  }
}

/** Upstream's GetWarningsForNodeSelector. */
export function* nodeSelectorWarnings(selector: LabelSelector, path: FieldPath): Generator<string, void> {
  for (const [index, { key }] of (selector.matchExpressions ?? []).entries()) {
    const warning = nodeLabelWarning(key);
    if (warning !== undefined) {
      yield `${path.child('matchExpressions').index(index).child('key')}: ${key} is ${warning}`;
    }
  }
  for (const key of Object.keys(selector.matchLabels ?? {})) {
    const warning = nodeLabelWarning(key);
    if (warning !== undefined) yield `${path.child('matchLabels', key)}: ${warning}`;
  }
}
