import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LogReadOptions, readLog, tailLogText } from './log-file.ts';

const entry = (second: number, text: string, tag = 'F', stream = 'stdout'): string =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000001Z ${stream} ${tag} ${text}\n`;

const defaults: LogReadOptions = {
  timestamps: false,
  since: undefined,
  limitBytes: undefined,
  tailLines: undefined,
  follow: false,
  ended: new Promise(() => {}),
  signal: new AbortController().signal,
};

async function read(path: string, options: Partial<LogReadOptions>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of readLog(path, { ...defaults, ...options })) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function withFile(work: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-log-'));
  try {
    await work(join(folder, '0.log'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('options of kubectl logs', () =>
  withFile(async (path) => {
    await writeFile(
      path,
      [entry(1, 'one'), entry(2, 'tw', 'P'), entry(2, 'o'), entry(3, 'three', 'F', 'stderr')].join(''),
    );
    assert.equal(await read(path, {}), 'one\ntwo\nthree\n');
    assert.equal(await read(path, { tailLines: 1 }), 'three\n');
    assert.equal(await read(path, { tailLines: 0 }), '');
    assert.equal(await read(path, { tailLines: 9 }), 'one\ntwo\nthree\n');
    assert.equal(await read(path, { limitBytes: 6 }), 'one\ntw');
    assert.equal(await read(path, { since: Date.parse('2026-01-01T00:00:03Z') }), 'three\n');
    assert.equal(await read(path, { stream: 'stderr' }), 'three\n');
    const stamped = await read(path, { timestamps: true, tailLines: 3 });
    assert.equal(stamped, '2026-01-01T00:00:02.000000001Z two\n2026-01-01T00:00:03.000000001Z three\n');
    assert.equal(await tailLogText(path, 80, 4), 'ree\n');
    await assert.rejects(read(`${path}.missing`, {}), { code: 'ENOENT' });
  }));

test('a tail of a large file', () =>
  withFile(async (path) => {
    await writeFile(path, Array.from({ length: 20_000 }, (_, i) => entry(1, `line ${i}`)).join(''));
    const tail = await read(path, { tailLines: 2500 });
    assert.equal(tail.split('\n').length, 2501);
    assert.ok(tail.startsWith('line 17500\n') && tail.endsWith('line 19999\n'));
  }));

test('a follower sees what comes, across rotation, until the container has ended', () =>
  withFile(async (path) => {
    await writeFile(path, entry(1, 'one'));
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const seen: string[] = [];
    const steps: (() => Promise<void>)[] = [
      () => appendFile(path, entry(2, 'two')),
      async () => {
        await appendFile(path, entry(3, 'three'));
        await rename(path, `${path}.old`);
        await writeFile(path, entry(4, 'four'));
      },
      async () => {
        await appendFile(path, entry(5, 'five'));
        end();
      },
    ];
    for await (const part of readLog(path, { ...defaults, follow: true, ended })) {
      seen.push(...part.toString().trim().split('\n'));
      if (['one', 'two', 'four'].includes(seen.at(-1) ?? '')) await steps.shift()?.();
    }
    assert.deepEqual(seen, ['one', 'two', 'three', 'four', 'five']);
  }));
