import type { Container, Pod } from '../api/generated/core-v1.ts';
import type { ContainerRuntimeStatus } from './runtime-status.ts';

/** What a container's own policy and rules say; undefined when the Pod's policy decides. */
function ownDecision(container: Container, exitCode: number): boolean | undefined {
  for (const rule of container.restartPolicyRules ?? []) {
    const { operator, values = [] } = rule.exitCodes ?? {};
    const listed = values.includes(exitCode);
    const matches = operator === 'In' ? listed : operator === 'NotIn' && !listed;
    if (matches && rule.action === 'Restart') return true;
  }
  return container.restartPolicy === undefined ? undefined : byPolicy(container.restartPolicy, exitCode);
}

function byPolicy(policy: string | undefined, exitCode: number): boolean {
  if (policy === 'Never') return false;
  return policy === 'OnFailure' ? exitCode !== 0 : true;
}

/** Whether a container that ended with `exitCode` runs again. */
export function restartsAfterExit(pod: Pod, container: Container, exitCode: number): boolean {
  return ownDecision(container, exitCode) ?? byPolicy(pod.spec.restartPolicy, exitCode);
}

/** Whether a container that is killed for failing (a probe, an init step) runs again. */
export function restartsAfterFailure(pod: Pod, container: Container): boolean {
  return (container.restartPolicy ?? pod.spec.restartPolicy) !== 'Never';
}

/** Whether a main container has to be started now, given its newest instance (upstream ShouldContainerBeRestarted). */
export function shouldStart(pod: Pod, container: Container, newest: ContainerRuntimeStatus | undefined): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  if (newest === undefined) return true;
  switch (newest.state) {
    case 'running':
      return false;
    case 'created':
    case 'unknown':
      return true;
    case 'exited':
      return restartsAfterExit(pod, container, newest.exitCode);
  }
}
