import { z } from 'zod';

/** Why etcd has ended, as far as its log tells. */
export interface EtcdFailure {
  readonly kind: 'removed' | 'damaged' | 'port' | 'disk-full' | 'other';
  /** etcd's own words in short; empty when it said nothing. */
  readonly text: string;
}

const lineSchema = z.object({
  level: z.enum(['error', 'dpanic', 'panic', 'fatal']),
  msg: z.string(),
  error: z.string().optional(),
});

const KINDS: readonly (readonly [EtcdFailure['kind'], RegExp])[] = [
  ['removed', /permanently removed|has been removed|member was removed|removed from the cluster/],
  ['port', /address already in use/],
  ['disk-full', /no space left on device/],
  // Of the database, the write-ahead log, the snapshots, and a log that has lost its end.
  [
    'damaged',
    /failed to open database|invalid database|file size too small|checksum|crc mismatch|unexpected EOF|cannot use none as id|is out of range|failed to recover|wal: |snap: |page \d+ /,
  ],
];

/** Reads etcd's log from where it was started last. */
export function etcdFailure(log: string): EtcdFailure {
  const told = log.split('\n').flatMap(lastWords);
  // What it died of stands last; what it says of removal may stand before.
  const removed = told.find((text) => KINDS[0]?.[1].test(text));
  const text = removed ?? told.at(-1) ?? '';
  const kind = KINDS.find(([, pattern]) => pattern.test(text))?.[0] ?? 'other';
  return { kind, text };
}

/** An error's text when `line` is one; panics of Go are no JSON. */
function lastWords(line: string): string[] {
  const panic = /^(?:panic|fatal error): (?!failed to open database)(.*)$/.exec(line)?.[1];
  if (panic !== undefined) return [panic.trim()];
  if (!line.startsWith('{')) return [];
  try {
    const { data } = lineSchema.safeParse(JSON.parse(line));
    if (data === undefined) return [];
    return [data.error === undefined ? data.msg : `${data.msg}: ${data.error}`];
  } catch {
    // A line that was cut off.
    return [];
  }
}
