import type { Pod } from '../api/generated/core-v1.ts';
import { CgroupTree, hasCode } from '../host/cgroup-tree.ts';
import type { CgroupHost } from '../host/cgroups.ts';
import { sliceName, startSlice, stopSlices } from '../host/systemd-slices.ts';
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

/**
 * Slices made by systemd, which owns the tree (the systemd driver). It would make them for the first container as well,
 * but without the limits of the Pod, and it keeps them when they are empty.
 */
function systemdCgroups(root: string): PodCgroups {
  const made = new Set<string>();
  return {
    async start() {
      await startSlice(sliceName(root), {});
      await startSlice(sliceName(`${root}/burstable`), {});
      await startSlice(sliceName(`${root}/besteffort`), { cpuShares: BEST_EFFORT_SHARES });
    },
    parentOf: (pod) => sliceName(podCgroup(root, pod)),
    async ensure(pod) {
      if (made.has(pod.metadata.uid)) return;
      await startSlice(sliceName(podCgroup(root, pod)), podCgroupLimits(pod));
      made.add(pod.metadata.uid);
    },
    async remove(uid) {
      made.delete(uid);
      await stopSlices(QOS_FOLDERS.map((folder) => sliceName(`${root}${folder}/pod${uid}`)));
    },
  };
}

/** The PodCgroups for this machine's cgroup driver, below `root` (`/kubepods`). */
export async function createPodCgroups(host: CgroupHost, root: string): Promise<PodCgroups> {
  return host.driver === 'systemd' ? systemdCgroups(root) : directCgroups(await CgroupTree.open(host), root);
}
