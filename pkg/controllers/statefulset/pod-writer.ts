/** The writes of a StatefulSet's Pods and claims, with upstream's events (StatefulPodControl). */
import type { StatefulSet } from '../../api/generated/apps-v1.ts';
import type { Pod, PodTemplateSpec } from '../../api/generated/core-v1.ts';
import { persistentVolumeClaims, pods, statefulSets } from '../../api/resources.ts';
import { isBeingDeleted } from '../../apimachinery/object-meta.ts';
import { referenceTo } from '../../apimachinery/object-reference.ts';
import { isNamespaceTerminating, isStatusReason } from '../../apimachinery/status-error.ts';
import { errorText } from '../../base/log.ts';
import type { ControllerContext } from '../controller.ts';
import { claimsOf, isInRange, ordinalOf, podName, statefulPod, withIdentity } from './identity.ts';
import { claimOwners, isStaleClaim, newClaimOwners } from './retention.ts';

export class StatefulPodWriter {
  readonly #context: ControllerContext;

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  /** Creates the claims and the Pod of a place; leaves it for later while claims of an earlier Pod are going. */
  async create(set: StatefulSet, ordinal: number, template: PodTemplateSpec, revision: string): Promise<void> {
    const name = podName(set, ordinal);
    const claims = this.#context.client.informer(persistentVolumeClaims);
    const stale = claimsOf(set, ordinal).some(({ metadata }) => {
      const claim = claims.get(metadata.name, set.metadata.namespace);
      return claim !== undefined && isStaleClaim(claim, name);
    });
    if (stale) throw new Error(`claims of pod ${name} are going away with an earlier pod of that name`);
    await this.createClaims(set, ordinal);
    await this.#told(set, 'create', `Pod ${name}`, () =>
      this.#context.client.create(pods, statefulPod(set, ordinal, template, revision)),
    );
  }

  /** Creates those claims of a place that do not exist. */
  async createClaims(set: StatefulSet, ordinal: number): Promise<void> {
    const { client } = this.#context;
    const existing = client.informer(persistentVolumeClaims);
    for (const claim of claimsOf(set, ordinal)) {
      const { name } = claim.metadata;
      const found = existing.get(name, set.metadata.namespace);
      if (found !== undefined) {
        if (isBeingDeleted(found)) throw new Error(`pvc ${name} is being deleted`);
        continue;
      }
      const ownerReferences = newClaimOwners(set);
      const metadata = { ...claim.metadata, ...(ownerReferences.length > 0 && { ownerReferences }) };
      await this.#told(set, 'create', `Claim ${name} Pod ${podName(set, ordinal)}`, () =>
        client.create(persistentVolumeClaims, { ...claim, metadata }),
      );
    }
  }

  /** Hands the claims of `pod` to whom the retention policy gives them. */
  async keepClaims(set: StatefulSet, pod: Pod): Promise<void> {
    const { client } = this.#context;
    const ordinal = ordinalOf(set, pod);
    if (ordinal === undefined) return;
    for (const { metadata } of claimsOf(set, ordinal)) {
      const claim = client.informer(persistentVolumeClaims).get(metadata.name, set.metadata.namespace);
      if (claim === undefined) continue;
      const ownerReferences = claimOwners(set, pod, isInRange(set, ordinal), claim);
      if (ownerReferences === undefined) continue;
      await client.update(persistentVolumeClaims, { ...claim, metadata: { ...claim.metadata, ownerReferences } });
    }
  }

  /** Gives `pod` back the labels of its place. */
  async repair(set: StatefulSet, pod: Pod): Promise<void> {
    const ordinal = ordinalOf(set, pod);
    if (ordinal === undefined) return;
    await this.#told(set, 'update', `Pod ${pod.metadata.name}`, () =>
      this.#context.client.update(pods, withIdentity(set, pod, ordinal)),
    );
  }

  async remove(set: StatefulSet, pod: Pod): Promise<void> {
    const { name, namespace = '', uid } = pod.metadata;
    await this.#told(set, 'delete', `Pod ${name}`, async () => {
      try {
        await this.#context.client.delete(pods, name, { namespace, preconditions: { uid } });
      } catch (error) {
        if (!isStatusReason(error, 'NotFound')) throw error;
      }
    });
  }

  async #told(set: StatefulSet, verb: string, what: string, write: () => Promise<unknown>): Promise<void> {
    const about = referenceTo(statefulSets, set);
    const reason = `${verb[0]?.toUpperCase()}${verb.slice(1)}`;
    const subject = `${verb} ${what} in StatefulSet ${set.metadata.name}`;
    try {
      await write();
      const success = what.startsWith('Claim') ? 'success' : 'successful';
      this.#context.recorder.event(about, 'Normal', `Successful${reason}`, `${subject} ${success}`);
    } catch (error) {
      if (isNamespaceTerminating(error)) return;
      const message = `${subject} failed error: ${errorText(error)}`;
      this.#context.recorder.event(about, 'Warning', `Failed${reason}`, message);
      throw error;
    }
  }
}
