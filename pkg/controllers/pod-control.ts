/** Creating and deleting the Pods of a controller, with upstream's events (RealPodControl). */
import type { Pod, PodTemplateSpec } from '../api/generated/core-v1.ts';
import { pods } from '../api/resources.ts';
import { apiVersionOf, type Input, type KubeObject, type ResourceType } from '../api/types.ts';
import { isDns1123Subdomain } from '../apimachinery/names.ts';
import { controllerReference } from '../apimachinery/object-meta.ts';
import { referenceTo } from '../apimachinery/object-reference.ts';
import { isNamespaceTerminating, isStatusReason } from '../apimachinery/status-error.ts';
import { errorText } from '../base/log.ts';
import type { ControllerContext } from './controller.ts';

/** The Pod that `owner` makes from `template`: a name will be generated from the owner's. */
export function podFromTemplate(
  template: Input<PodTemplateSpec>,
  type: ResourceType,
  owner: KubeObject,
): Input<Pod> & { metadata: object } {
  const prefix = `${owner.metadata.name}-`;
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    metadata: {
      generateName: isDns1123Subdomain(`${prefix}a`).length === 0 ? prefix : owner.metadata.name,
      namespace: owner.metadata.namespace,
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [controllerReference(owner, { apiVersion: apiVersionOf(type), kind: type.kind })],
    },
    ...(template.spec && { spec: template.spec }),
  };
}

/** Creates `pod` for `owner` and tells of it on the owner; rejects with the API's refusal. */
export async function createPod(
  context: ControllerContext,
  type: ResourceType,
  owner: KubeObject,
  pod: Input<Pod>,
): Promise<void> {
  const about = referenceTo(type, owner);
  try {
    const created = await context.client.create(pods, pod);
    context.recorder.event(about, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
  } catch (error) {
    if (!isNamespaceTerminating(error)) {
      context.recorder.event(about, 'Warning', 'FailedCreate', `Error creating: ${errorText(error)}`);
    }
    throw error;
  }
}

/** Deletes `pod` for `owner` and tells of it on the owner; a Pod that is gone already rejects with NotFound. */
export async function deletePod(
  context: ControllerContext,
  type: ResourceType,
  owner: KubeObject,
  pod: Pod,
): Promise<void> {
  const about = referenceTo(type, owner);
  const { name, namespace } = pod.metadata;
  try {
    await context.client.delete(pods, name, namespace === undefined ? {} : { namespace });
    context.recorder.event(about, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  } catch (error) {
    if (!isStatusReason(error, 'NotFound')) {
      context.recorder.event(about, 'Warning', 'FailedDelete', `Error deleting: ${errorText(error)}`);
    }
    throw error;
  }
}
