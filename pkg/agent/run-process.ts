import { systemClock } from '../base/clock.ts';
import { Supervisor } from '../base/component.ts';
import { createLogger, errorText, type Logger } from '../base/log.ts';
import { MemoryTrimmer, processHeap } from '../base/memory-trimmer.ts';
import { notifyReady } from '../host/systemd-notify.ts';

/** Starts the parts of a process; calls `fatal` when one of them cannot go on. */
export type StartParts = (supervisor: Supervisor, fatal: (error: Error) => void) => Promise<void>;

/** The log of a kedge that runs as a service. */
export function processLog(debug: boolean): Logger {
  return createLogger({
    level: debug ? 'debug' : 'info',
    write: (line) => process.stderr.write(line),
    now: () => new Date(),
  });
}

/**
 * Runs what `start` starts until the process is asked to end or a part cannot go on (exit code 1), and tells systemd
 * when everything is up. Throws what `start` throws, after stopping what had been started.
 */
export async function runParts(what: string, log: Logger, start: StartParts): Promise<void> {
  const supervisor = new Supervisor(log);
  const ended = Promise.withResolvers<number>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ended.resolve(0));
  const fatal = (error: Error): void => {
    log.error('cannot go on', { error: errorText(error) });
    ended.resolve(1);
  };
  // Timers never keep the process alive: this does, while it is to run.
  const alive = setInterval(() => {}, 2 ** 30);
  const heap = processHeap();
  if (heap !== undefined) await supervisor.start(new MemoryTrimmer(heap, systemClock, log.child('memory')));
  try {
    const started = start(supervisor, fatal).then(async () => {
      log.info(`${what} is ready`);
      await notifyReady();
    });
    await Promise.race([started, ended.promise]);
    process.exitCode = await ended.promise;
  } finally {
    await supervisor.stop();
    clearInterval(alive);
  }
}
