import type { KubeObject } from '../../api/types.ts';
import type { Descriptor } from '../../registry/descriptor.ts';
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

export interface AdmissionPlugin {
  readonly name: string;
  readonly mutate?: (attributes: AdmissionAttributes) => void | Promise<void>;
  readonly validate?: (attributes: AdmissionAttributes) => void | Promise<void>;
}

/** Upstream's admission chain: all mutating plugins in order, later all validating ones. */
export class AdmissionChain {
  readonly #plugins: readonly AdmissionPlugin[];

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#plugins = plugins;
  }

  async mutate(attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#plugins) {
      if (plugin.mutate !== undefined) await plugin.mutate(attributes);
    }
  }

  async validate(attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#plugins) {
      if (plugin.validate !== undefined) await plugin.validate(attributes);
    }
  }
}
