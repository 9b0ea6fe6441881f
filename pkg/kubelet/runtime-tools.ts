import type { Pod } from '../api/generated/core-v1.ts';
import { pods } from '../api/resources.ts';
import { referenceTo } from '../apimachinery/object-reference.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { EventType } from '../client/event-correlator.ts';
import type { EventRecorder } from '../client/events.ts';
import type { RuntimeService } from '../cri/services.ts';
import type { KubeletPaths } from './kubelet-paths.ts';
import type { Limiter } from './limiter.ts';
import { containerFieldPath } from './pod-info.ts';
import type { RuntimeState } from './runtime-state.ts';

/** What everything that acts on the runtime needs. */
export interface RuntimeTools {
  readonly runtime: RuntimeService;
  readonly state: RuntimeState;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly paths: KubeletPaths;
  /** `/var/log/pods`. */
  readonly podLogDir: string;
  /** `/var/log/containers`. */
  readonly containerLogDir: string;
  /** Bounds how many sandboxes and containers are made at the same time. */
  readonly limiter: Limiter;
}

/** Records an event about a container of `pod`, or about the Pod when `container` is left out. */
export function tell(
  events: EventRecorder,
  pod: Pod,
  container: string | undefined,
  type: EventType,
  reason: string,
  message: string,
): void {
  const fieldPath = container === undefined ? undefined : containerFieldPath(pod, container);
  events.event(referenceTo(pods, pod, fieldPath), type, reason, message);
}
