import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorText } from '../base/log.ts';
import type { ContainerRuntimeStatus } from './runtime-status.ts';
import type { RuntimeTools } from './runtime-tools.ts';

interface PodName {
  readonly name: string;
  readonly namespace: string;
}

/** `<pod>_<namespace>_<container>-<id>.log`: how log collectors find a container's log. */
function linkPath(tools: RuntimeTools, pod: PodName, container: string, id: string): string {
  return join(tools.containerLogDir, `${pod.name}_${pod.namespace}_${container}-${id}.log`);
}

/** Links a container's log file where log collectors look. A failure is logged only: the container runs without. */
export async function linkContainerLog(
  tools: RuntimeTools,
  pod: PodName,
  container: string,
  id: string,
  logFile: string,
): Promise<void> {
  const link = linkPath(tools, pod, container, id);
  try {
    await mkdir(tools.containerLogDir, { recursive: true });
    await rm(link, { force: true });
    await symlink(logFile, link);
  } catch (error) {
    tools.log.warn('could not link a container log', { link, error: errorText(error) });
  }
}

/** A log file and those rotated out of it: `0.log`, `0.log.20260101-000000`, …, oldest first and the present one last. */
export async function logFiles(path: string): Promise<string[]> {
  const prefix = `${basename(path)}.`;
  try {
    const names = await readdir(dirname(path));
    const rotated = names.filter((name) => name.startsWith(prefix)).sort();
    return [...rotated, ...(names.includes(basename(path)) ? [basename(path)] : [])].map((name) =>
      join(dirname(path), name),
    );
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Removes the log of a container instance that is removed itself. */
export async function removeContainerLogs(
  tools: RuntimeTools,
  pod: PodName,
  container: ContainerRuntimeStatus,
): Promise<void> {
  await rm(linkPath(tools, pod, container.name, container.id), { force: true });
  if (container.logPath === '') return;
  for (const path of await logFiles(container.logPath)) await rm(path, { force: true });
}
