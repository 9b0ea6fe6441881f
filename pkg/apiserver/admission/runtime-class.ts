import type { Pod } from '../../api/generated/core-v1.ts';
import type { RuntimeClass } from '../../api/generated/node-v1.ts';
import { pods, runtimeClasses } from '../../api/resources.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { goQuote } from '../../apimachinery/go-quote.ts';
import { statusErrors } from '../../apimachinery/status-error.ts';
import type { Store } from '../storage/store.ts';
import { type AdmissionAttributes, type AdmissionPlugin, refuseUnnamed } from './admission.ts';

/** Upstream's RuntimeClass admission: a Pod takes over its class's overhead and where the class may run. */
export function runtimeClassAdmission(store: Store): AdmissionPlugin {
  const classOf = (pod: Pod): RuntimeClass | undefined => {
    const name = pod.spec.runtimeClassName;
    if (name === undefined) return undefined;
    const found = store.get(runtimeClasses, name)?.object;
    if (found === undefined) throw refusal(pod, `pod rejected: RuntimeClass ${goQuote(name)} not found`);
    return found;
  };
  return {
    name: 'RuntimeClass',
    mutate(attributes) {
      if (!isNewPod(attributes)) return;
      const pod = attributes.object as Pod;
      const runtimeClass = classOf(pod);
      if (runtimeClass === undefined) return;
      const refuse = (text: string): Error => refuseUnnamed(attributes, text);
      takeOverhead(pod, runtimeClass, refuse);
      takeScheduling(pod, runtimeClass, refuse);
    },
    validate(attributes) {
      if (!isNewPod(attributes)) return;
      const pod = attributes.object as Pod;
      const overhead = classOf(pod)?.overhead?.podFixed;
      if (pod.spec.overhead === undefined || deepEqual(pod.spec.overhead, overhead)) return;
      const text =
        overhead === undefined
          ? 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead'
          : "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
      throw refusal(pod, text);
    },
  };
}

const isNewPod = ({ descriptor, operation, subresource }: AdmissionAttributes): boolean =>
  descriptor.type === pods && operation === 'CREATE' && subresource === undefined;

const refusal = (pod: Pod, text: string): Error => statusErrors.forbidden(pods, pod.metadata.name ?? '', text);

function takeOverhead(pod: Pod, { overhead }: RuntimeClass, refuse: (text: string) => Error): void {
  if (overhead?.podFixed === undefined) return;
  pod.spec.overhead ??= { ...overhead.podFixed };
  if (!deepEqual(pod.spec.overhead, overhead.podFixed)) {
    throw refuse("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  }
}

function takeScheduling(pod: Pod, { scheduling }: RuntimeClass, refuse: (text: string) => Error): void {
  if (scheduling === undefined) return;
  const selector = { ...pod.spec.nodeSelector };
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
    const own = selector[key];
    if (own !== undefined && own !== value) {
      const sides = `runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`;
      throw refuse(`conflict: ${sides}`);
    }
    selector[key] = value;
  }
  if (Object.keys(selector).length > 0) pod.spec.nodeSelector = selector;
  const tolerations = [...(pod.spec.tolerations ?? [])];
  for (const toleration of scheduling.tolerations ?? []) {
    if (!tolerations.some((other) => deepEqual(other, toleration))) tolerations.push({ ...toleration });
  }
  if (tolerations.length > 0) pod.spec.tolerations = tolerations;
}
