import type { Pod } from '../api/generated/core-v1.ts';
import { CgroupTree, hasCode } from '../host/cgroup-tree.ts';
import type { CgroupHost } from '../host/cgroups.ts';
import { podCgroup, podCgroupLimits, QOS_FOLDERS } from './cgroup-resources.ts';

/** Pods that asked for nothing share what the others leave. */
const BEST_EFFORT_SHARES = 2;

/** The cgroups that hold Pods, one per Pod, below those of the QoS classes: upstream's pod container manager. */
export interface PodCgroups {
  start(): Promise<void>;
  /** What the sandbox is told as its cgroup parent. */
  parentOf(pod: Pod): string;
  ensure(pod: Pod): Promise<void>;
  /**
   * Removes the cgroup of a Pod that has ended, of whatever class it was. Processes that are still in it are killed and
   * the promise rejects: try again. Only what the runtime has lost is there by then, such as a container that was being
   * started when kedge or the runtime was killed.
   */
  remove(uid: string): Promise<void>;
}

/** `/kubepods/burstable/poduid-1` as systemd names it: `kubepods-burstable-poduid_1.slice`. */
export function systemdSlice(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  return `${parts.map((part) => part.replaceAll('-', '_')).join('-')}.slice`;
}

/** Directories made by the kubelet itself (the cgroupfs driver). */
function directCgroups(tree: CgroupTree, root: string): PodCgroups {
  const made = new Set<string>();
  return {
    async start() {
      await tree.apply(root, {});
      await tree.apply(`${root}/burstable`, {});
      await tree.apply(`${root}/besteffort`, { cpuShares: BEST_EFFORT_SHARES });
    },
    parentOf: (pod) => podCgroup(root, pod),
    async ensure(pod) {
      if (made.has(pod.metadata.uid)) return;
      await tree.apply(podCgroup(root, pod), podCgroupLimits(pod));
      made.add(pod.metadata.uid);
    },
    async remove(uid) {
      made.delete(uid);
      for (const folder of QOS_FOLDERS) {
        const path = `${root}${folder}/pod${uid}`;
        try {
          await tree.remove(path);
        } catch (error) {
          if (hasCode(error, 'EBUSY')) await tree.kill(path);
          throw error;
        }
      }
    },
  };
}

/** systemd owns the tree: it makes a slice when the first container is put into it and drops it after the last. */
function systemdCgroups(root: string): PodCgroups {
  return {
    start: () => Promise.resolve(),
    parentOf: (pod) => systemdSlice(podCgroup(root, pod)),
    ensure: () => Promise.resolve(),
    remove: () => Promise.resolve(),
  };
}

/** The PodCgroups for this machine's cgroup driver, below `root` (`/kubepods`). */
export async function createPodCgroups(host: CgroupHost, root: string): Promise<PodCgroups> {
  return host.driver === 'systemd' ? systemdCgroups(root) : directCgroups(await CgroupTree.open(host), root);
}
