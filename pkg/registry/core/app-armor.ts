import type { Pod } from '../../api/generated/core-v1.ts';
import { semanticEqual } from '../../apimachinery/deep-equal.ts';
import { appArmorOf } from './validation/pod-annotations.ts';

/** Turns annotations of old clients into the fields that followed, in place (upstream's applyAppArmorVersionSkew). */
export function adoptAppArmorAnnotations({ metadata, spec }: Pod): void {
  if (spec.os?.name === 'windows') return;
  const ofPod = spec.securityContext?.appArmorProfile;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    if (container.securityContext?.appArmorProfile !== undefined) continue;
    const profile = appArmorOf(metadata.annotations ?? {}, container.name);
    if (profile === undefined || semanticEqual(profile, ofPod)) continue;
    container.securityContext = { ...container.securityContext, appArmorProfile: profile };
  }
}
