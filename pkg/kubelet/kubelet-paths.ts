import { join } from 'node:path';

/** The kubelet's files below its root, named as upstream names them. */
export class KubeletPaths {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get pods(): string {
    return join(this.root, 'pods');
  }

  /** A tmpfs for what must not reach a disk: secrets and tokens, by Pod. */
  get memory(): string {
    return join(this.root, 'memory');
  }

  get seccomp(): string {
    return join(this.root, 'seccomp');
  }

  pod(uid: string): string {
    return join(this.pods, uid);
  }

  podMemory(uid: string): string {
    return join(this.memory, uid);
  }

  /** A volume's folder; `plugin` is `empty-dir`, `configmap`, … */
  volume(uid: string, plugin: string, name: string): string {
    return join(this.pod(uid), 'volumes', `kubernetes.io~${plugin}`, name);
  }

  memoryVolume(uid: string, plugin: string, name: string): string {
    return join(this.podMemory(uid), `kubernetes.io~${plugin}`, name);
  }

  /** Where the subPath of a container's mount number `index` is bound to. */
  subPath(uid: string, volume: string, container: string, index: number): string {
    return join(this.pod(uid), 'volume-subpaths', volume, container, String(index));
  }

  hosts(uid: string): string {
    return join(this.pod(uid), 'etc-hosts');
  }

  /** The file that takes the termination message of a container instance. */
  terminationMessage(uid: string, container: string, restartCount: number): string {
    return join(this.pod(uid), 'containers', container, `termination-${restartCount}`);
  }
}
