import type { Pod } from '../api/generated/core-v1.ts';
import { CgroupTree } from '../host/cgroup-tree.ts';
import type { CgroupHost } from '../host/cgroups.ts';
import { KUBEPODS, podCgroup, podCgroupLimits } from './cgroup-resources.ts';

/** `/kubepods/burstable/poduid-1` as systemd names it: `kubepods-burstable-poduid_1.slice`. */
export function systemdSlice(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  return `${parts.map((part) => part.replaceAll('-', '_')).join('-')}.slice`;
}

const QOS_FOLDERS = ['', '/burstable', '/besteffort'];
/** Pods that asked for nothing share what the others leave. */
const BEST_EFFORT_SHARES = 2;

/** The cgroups that hold Pods, one per Pod, below those of the QoS classes: upstream's pod container manager. */
export interface PodCgroups {
  start(): Promise<void>;
  /** What the sandbox is told as its cgroup parent. */
  parentOf(pod: Pod): string;
  ensure(pod: Pod): Promise<void>;
  /** Removes a Pod's cgroup, of whatever class it was. Rejects while processes are in it. */
  remove(uid: string): Promise<void>;
  /** The uids of the Pods that have a cgroup. */
  uids(): Promise<string[]>;
}

/** Directories made by the kubelet itself (the cgroupfs driver). */
function directCgroups(tree: CgroupTree): PodCgroups {
  const made = new Set<string>();
  return {
    async start() {
      await tree.apply(KUBEPODS, {});
      await tree.apply(`${KUBEPODS}/burstable`, {});
      await tree.apply(`${KUBEPODS}/besteffort`, { cpuShares: BEST_EFFORT_SHARES });
    },
    parentOf: podCgroup,
    async ensure(pod) {
      if (made.has(pod.metadata.uid)) return;
      await tree.apply(podCgroup(pod), podCgroupLimits(pod));
      made.add(pod.metadata.uid);
    },
    async remove(uid) {
      made.delete(uid);
      for (const folder of QOS_FOLDERS) await tree.remove(`${KUBEPODS}${folder}/pod${uid}`);
    },
    async uids() {
      const names = await Promise.all(QOS_FOLDERS.map((folder) => tree.children(`${KUBEPODS}${folder}`)));
      return names
        .flat()
        .filter((name) => /^pod[0-9a-f]{8}-/.test(name))
        .map((name) => name.slice('pod'.length));
    },
  };
}

/** systemd owns the tree: it makes a slice when the first container is put into it and drops it after the last. */
const SYSTEMD_CGROUPS: PodCgroups = {
  start: () => Promise.resolve(),
  parentOf: (pod) => systemdSlice(podCgroup(pod)),
  ensure: () => Promise.resolve(),
  remove: () => Promise.resolve(),
  uids: () => Promise.resolve([]),
};

/** The PodCgroups for this machine's cgroup driver. */
export async function createPodCgroups(host: CgroupHost): Promise<PodCgroups> {
  return host.driver === 'systemd' ? SYSTEMD_CGROUPS : directCgroups(await CgroupTree.open(host));
}
