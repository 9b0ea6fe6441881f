/** What a container left as its last words: upstream kuberuntime's getTerminationMessage. */
import { open } from 'node:fs/promises';
import { ANNOTATIONS } from './container-labels.ts';
import { tailLogText } from './log-file.ts';

const MOST_FILE_BYTES = 4096;
const MOST_LOG_BYTES = 2048;
const MOST_LOG_LINES = 80;

async function readStart(path: string, bytes: number): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const buffer = Buffer.alloc(bytes);
      const { bytesRead } = await file.read(buffer, 0, bytes, 0);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

export interface EndedContainer {
  readonly exitCode: number;
  /** The runtime's own message. */
  readonly message: string;
  readonly logPath: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * The message of an ended container: what it wrote to its terminationMessagePath, or else, when its policy says so
 * and it failed, the end of its log; the runtime's message comes before either.
 */
export async function terminationMessage(container: EndedContainer): Promise<string> {
  const file = container.annotations[ANNOTATIONS.terminationMessageFile] ?? '';
  const policy = container.annotations[ANNOTATIONS.terminationMessagePolicy];
  let words = file === '' ? '' : await readStart(file, MOST_FILE_BYTES);
  if (words === '' && policy === 'FallbackToLogsOnError' && container.exitCode !== 0) {
    words = await tailLogText(container.logPath, MOST_LOG_LINES, MOST_LOG_BYTES);
  }
  return [container.message, words].filter((part) => part !== '').join(': ');
}
