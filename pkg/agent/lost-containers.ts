import { type Clock, sleep } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { RuntimeService } from '../cri/services.ts';
import { readBundles, removeBundle } from './bundles.ts';
import type { ContainerdLayout } from './containerd-layout.ts';

export interface LostContainersOptions {
  readonly layout: ContainerdLayout;
  readonly runtime: RuntimeService;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Between two looks, ms. When the first is over, containerd has given up what it was asked by a kedge that is gone. */
const PAUSE = { first: 10_000, longest: 60_000 } as const;

/** How containerd sees a container or a sandbox; `unsure` ones have not been started, or it cannot tell. */
export type KnownState = 'running' | 'unsure' | 'ended';

export interface LostContainersPlan {
  readonly remove: readonly string[];
  /** To be looked at again. */
  readonly wait: readonly string[];
}

/**
 * What to do about `suspects`, the ids of bundles that were on disk without a running container when kedge started;
 * `bundles` are on disk now. containerd removes a bundle with the end of its task, so one whose container has ended,
 * or is not known at all, is lost. Pure.
 */
export function planLostContainers(
  suspects: readonly string[],
  bundles: ReadonlySet<string>,
  known: ReadonlyMap<string, KnownState>,
): LostContainersPlan {
  const there = suspects.filter((id) => bundles.has(id) && known.get(id) !== 'running');
  return {
    remove: there.filter((id) => known.get(id) !== 'unsure'),
    wait: there.filter((id) => known.get(id) === 'unsure'),
  };
}

/**
 * containerd loses a container whose start is broken off by the death of whoever asked for it: the process, its mounts
 * and its bundle stay for ever. This looks once for such containers, soon after kedge has started, and removes them;
 * it ends when there are none left, or with `signal`. New containers have new ids, so none of them is ever meant.
 */
export async function removeLostContainers(options: LostContainersOptions, signal: AbortSignal): Promise<void> {
  const { layout, clock, log } = options;
  let suspects = [...(await readBundles(layout)).keys()];
  const running = await knownStates(options.runtime);
  suspects = suspects.filter((id) => running.get(id) !== 'running');
  for (let pause: number = PAUSE.first; suspects.length > 0; pause = Math.min(pause * 2, PAUSE.longest)) {
    await sleep(clock, pause, signal);
    if (signal.aborted) return;
    try {
      const bundles = new Set((await readBundles(layout)).keys());
      const plan = planLostContainers(suspects, bundles, await knownStates(options.runtime));
      for (const id of plan.remove) {
        await removeBundle(layout, id, clock);
        log.info('removed a container whose start had been broken off', { id });
      }
      suspects = [...plan.wait];
    } catch (error) {
      log.warn('lost containers not removed, trying again', { error: errorText(error) });
    }
  }
}

async function knownStates(runtime: RuntimeService): Promise<Map<string, KnownState>> {
  const [{ items }, { containers }] = await Promise.all([runtime.listPodSandbox({}), runtime.listContainers({})]);
  const known = new Map<string, KnownState>();
  for (const { id, state } of items) known.set(id, state === 'SANDBOX_READY' ? 'running' : 'ended');
  for (const { id, state } of containers) {
    if (state === 'CONTAINER_RUNNING') known.set(id, 'running');
    else known.set(id, state === 'CONTAINER_EXITED' ? 'ended' : 'unsure');
  }
  return known;
}
