import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { OperatorError } from '../base/component.ts';
import { errorText } from '../base/log.ts';
import { VERSION } from '../base/version.ts';

/** Says whose the folder is, and which version last wrote to it. */
const MARKER = 'kedge.json';
/** How the folder is laid out; a kedge that changes what older ones rely on counts it up. */
const FORMAT = 1;

const markerSchema = z.object({ kedge: z.literal('data'), format: z.int(), version: z.string() });
type Marker = z.infer<typeof markerSchema>;

/** What a folder may hold that kedge has not begun with yet: files that are put there for its first start. */
const EXPECTED = ['server', 'agent', 'storage', 'native', 'bin', 'lost+found'];
/** What only k3s has in its data directory. */
const K3S_FILES = ['server/cred', 'data/current', 'agent/etc/k3s-agent-load-balancer.json'];

/** What is known of a folder before it is used. */
export interface DataDirectory {
  /** Names in it; undefined when there is no such folder. */
  readonly names: readonly string[] | undefined;
  /** The text of the marker; undefined when there is none. */
  readonly marker: string | undefined;
  readonly isOfK3s: boolean;
}

/** Why kedge of `version` may not use `path`, with the remedy; undefined when it may. */
export function dataDirectoryProblem(path: string, found: DataDirectory, version: string): string | undefined {
  const { names = [], marker, isOfK3s } = found;
  if (marker !== undefined) return markerProblem(path, marker, version);
  const own = 'give kedge a folder of its own with --data-dir';
  if (isOfK3s) return `${path} is the data directory of k3s, which kedge cannot read: ${own}`;
  const foreign = names.filter((name) => !EXPECTED.includes(name)).sort();
  if (foreign.length === 0) return undefined;
  const shown =
    foreign.length > 3 ? `${foreign.slice(0, 3).join(', ')} and ${foreign.length - 3} more` : foreign.join(', ');
  return `${path} holds files of something else (${shown}): ${own}`;
}

function markerProblem(path: string, text: string, version: string): string | undefined {
  const file = join(path, MARKER);
  let marker: Marker;
  try {
    marker = markerSchema.parse(JSON.parse(text));
  } catch {
    return `${file} is damaged, or not of kedge: put it back, or give kedge another folder with --data-dir`;
  }
  if (marker.format <= FORMAT && !isNewer(marker.version, version)) return undefined;
  return `${path} was last used by kedge ${marker.version}, and this is kedge ${version}, which is older: install ${marker.version} or later again, or begin with an empty --data-dir`;
}

/** Whether data of version `a` is too new for `b`: patches of a release do not change what is stored. */
function isNewer(a: string, b: string): boolean {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA > majorB || (majorA === majorB && minorA > minorB);
}

/**
 * Looks whether kedge may use `path` as its data directory; writes nothing. Throws OperatorError for a folder of another
 * product, one that a newer kedge has used, or what is no folder.
 */
export async function checkDataDirectory(path: string): Promise<void> {
  const problem = dataDirectoryProblem(path, await readDataDirectory(path), VERSION);
  if (problem !== undefined) throw new OperatorError(problem);
}

/** Makes `path` the data directory of this kedge. Throws as `checkDataDirectory`, and when it cannot be written to. */
export async function claimDataDirectory(path: string): Promise<void> {
  await checkDataDirectory(path);
  const { marker } = await readDataDirectory(path);
  const text = `${JSON.stringify({ kedge: 'data', format: FORMAT, version: VERSION } satisfies Marker)}\n`;
  if (marker === text) return;
  try {
    await makeFolder(path);
    await writeFileAtomic(join(path, MARKER), text, { mode: 0o644, durable: true });
  } catch (error) {
    const text = `${path} cannot be written to (${errorText(error)}): give kedge another folder with --data-dir`;
    throw new OperatorError(text, { cause: error });
  }
}

/** As `mkdir` with `recursive`, which never ends where a file system refuses folders by ENOENT, as /proc does. */
async function makeFolder(path: string): Promise<void> {
  if (await exists(path)) return;
  await makeFolder(dirname(path));
  await mkdir(path, { mode: 0o755 });
}

async function readDataDirectory(path: string): Promise<DataDirectory> {
  try {
    const names = await readdir(path);
    const marker = names.includes(MARKER) ? await readFile(join(path, MARKER), 'utf8') : undefined;
    const signs = await Promise.all(K3S_FILES.map((file) => exists(join(path, file))));
    return { names, marker, isOfK3s: signs.includes(true) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return { names: undefined, marker: undefined, isOfK3s: false };
    if (code === 'ENOTDIR') throw new OperatorError(`${path} is no folder: give one with --data-dir`);
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
