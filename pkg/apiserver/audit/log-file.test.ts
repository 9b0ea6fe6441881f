import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { OperatorError } from '../../base/component.ts';
import { silentLogger } from '../../base/log.ts';
import { AuditLog, type AuditLogOptions } from './log-file.ts';

describe('audit log file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kedge-audit-'));
    path = join(folder, 'audit.log');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const clock = new FakeClock(Date.parse('2026-02-03T04:05:06.789Z'));
  const logOf = (options: Partial<AuditLogOptions> = {}): AuditLog =>
    new AuditLog({ path, maxBytes: 1e6, maxBackups: 0, maxAgeDays: 0, clock, log: silentLogger, ...options });

  test('lines in order, for the eyes of root only, added to what is there', async () => {
    writeFileSync(path, 'before\n');
    chmodSync(path, 0o644);
    const log = logOf();
    await log.open();
    for (let line = 0; line < 500; line++) log.write(`line ${line}`);
    await log.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const expected = ['before', ...Array.from({ length: 500 }, (_, line) => `line ${line}`), ''];
    assert.deepEqual(readFileSync(path, 'utf8').split('\n'), expected);
  });

  test('no file becomes larger than it may, and no line is lost or cut', async () => {
    const log = logOf({ maxBytes: 100 });
    await log.open();
    const long = 'x'.repeat(300);
    for (let line = 0; line < 40; line++) {
      log.write(line === 20 ? long : `${String(line).padStart(2, '0')} ${'-'.repeat(20)}`);
      await clock.advance(1000);
    }
    await log.close();
    const files = readdirSync(folder).sort();
    assert.ok(files.length > 8, files.join(' '));
    assert.match(files[0] ?? '', /^audit-2026-02-03T04-0\d-\d\d\.\d{3}\.log$/);
    const texts = files.map((file) => readFileSync(join(folder, file), 'utf8'));
    for (const text of texts) assert.ok(text.length <= 100 || text === `${long}\n`, text);
    for (const file of files) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600);
    assert.equal(texts.join('').split('\n').length, 41);
  });

  test('old files go: those that are too many, and those that are too old', async () => {
    const names = ['2026-02-03T00-00-00.000', '2026-02-02T00-00-00.000', '2026-01-01T00-00-00.000'].map(
      (time) => `audit-${time}.log`,
    );
    for (const name of [...names, 'audit-other.log', 'else.log']) writeFileSync(join(folder, name), '');
    await (async (): Promise<void> => {
      const log = logOf({ maxAgeDays: 7 });
      await log.open();
      await log.close();
    })();
    assert.deepEqual(readdirSync(folder).sort(), [
      'audit-2026-02-02T00-00-00.000.log',
      'audit-2026-02-03T00-00-00.000.log',
      'audit-other.log',
      'audit.log',
      'else.log',
    ]);
    const log = logOf({ maxBackups: 1 });
    await log.open();
    await log.close();
    assert.deepEqual(readdirSync(folder).sort(), [
      'audit-2026-02-03T00-00-00.000.log',
      'audit-other.log',
      'audit.log',
      'else.log',
    ]);
  });

  test('what cannot be written is refused at once; what cannot be written later is counted', async () => {
    await assert.rejects(logOf({ path: folder }).open(), OperatorError);
    const log = logOf({ path: join(folder, 'below', 'audit.log'), maxBytes: 10 });
    await log.open();
    rmSync(join(folder, 'below'), { recursive: true });
    log.write('1234567');
    log.write('1234567');
    await log.close();
    assert.ok(log.dropped > 0, String(log.dropped));
  });
});
