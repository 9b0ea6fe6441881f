import type { JsonObject } from '../../api/schema.ts';
import type { KubeObject } from '../../api/types.ts';
import { generatedFrom } from '../../apimachinery/random-name.ts';
import { type StatusError, statusErrors } from '../../apimachinery/status-error.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import type { WriteRequest } from '../operations/options.ts';

/** One write on its way in; mutating plugins change `object`, validating ones throw a StatusError to refuse it. */
export interface AdmissionAttributes extends WriteRequest {
  readonly descriptor: Descriptor;
  readonly namespace: string | undefined;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly subresource?: string | undefined;
  readonly object: KubeObject;
  readonly old?: KubeObject;
}

/**
 * A mutating plugin's refusal. Upstream generates names after these plugins, which therefore name what the object's name
 * is going to begin with.
 */
export function refuseUnnamed({ descriptor, object }: AdmissionAttributes, text: string): StatusError {
  return statusErrors.forbidden(descriptor.type, generatedFrom(object.metadata), text);
}

/** A POST to a subresource that is answered rather than stored (`eviction`, `token`). */
export interface ActionAttributes {
  readonly descriptor: Descriptor;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly subresource: string;
  readonly body: JsonObject;
  readonly user: UserInfo;
}

export interface AdmissionPlugin {
  readonly name: string;
  readonly mutate?: (attributes: AdmissionAttributes) => void | Promise<void>;
  readonly validate?: (attributes: AdmissionAttributes) => void | Promise<void>;
  readonly admitAction?: (attributes: ActionAttributes) => void;
}

/** Upstream's admission chain: all mutating plugins in order, later all validating ones. */
export class AdmissionChain {
  readonly #plugins: readonly AdmissionPlugin[];

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#plugins = plugins;
  }

  async mutate(attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#plugins) {
      const pending = plugin.mutate?.(attributes);
      // Most have nothing to wait for: a turn of the queue for each of them would be most of what they cost.
      if (pending !== undefined) await pending;
    }
  }

  async validate(attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#plugins) {
      const pending = plugin.validate?.(attributes);
      if (pending !== undefined) await pending;
    }
  }

  admitAction(attributes: ActionAttributes): void {
    for (const plugin of this.#plugins) plugin.admitAction?.(attributes);
  }
}
