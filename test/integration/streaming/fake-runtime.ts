/** A stand-in for the streaming server of a container runtime: commands are child processes of the test. */

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Readable } from 'node:stream';
import { silentLogger } from '../../../pkg/base/log.ts';
import type { RemoteCommandStreams } from '../../../pkg/streaming/command-session.ts';
import { COMMAND_SUCCEEDED, type CommandStatus, exitedWith } from '../../../pkg/streaming/command-status.ts';
import { servePortForward } from '../../../pkg/streaming/port-forward.ts';
import { serveRemoteCommand } from '../../../pkg/streaming/remote-command.ts';
import type { RemoteCommandOptions } from '../../../pkg/streaming/remote-command-options.ts';

export interface FakeRuntime {
  /** As the CRI call Exec: a URL good for one use. */
  execUrl(command: string[], options: RemoteCommandOptions): string;
  /** As the CRI call PortForward: ports are those of the test's own host. */
  portForwardUrl(): string;
  /** Child processes and sessions that are there now. */
  running(): number;
  close(): void;
}

export async function startFakeRuntime(): Promise<FakeRuntime> {
  const waiting = new Map<string, { command: string[]; options: RemoteCommandOptions } | 'portforward'>();
  let running = 0;
  const server = createServer((_req, res) => res.writeHead(404).end('no such session'));
  server.on('upgrade', (req, socket, head) => {
    const token = req.url?.split('/').at(-1) ?? '';
    const session = waiting.get(token);
    waiting.delete(token);
    running += 1;
    const done = (): void => {
      running -= 1;
    };
    if (session === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      done();
    } else if (session === 'portforward') {
      void servePortForward(req, socket, head, { logger: silentLogger }, (signal) =>
        Promise.resolve({
          connect(port) {
            const data = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
            const failure = new Promise<string>((resolve) => {
              data.once('error', (error) => resolve(error.message));
              data.once('close', () => resolve(''));
            });
            return { data, failure, destroy: () => data.destroy() };
          },
          close() {},
          signal,
        }),
      ).then(done);
    } else {
      const { command, options } = session;
      const run = (streams: RemoteCommandStreams): Promise<CommandStatus> => runChild(command, options, streams);
      void serveRemoteCommand(req, socket, head, { ...options, logger: silentLogger }, run).then(done);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const register = (
    kind: string,
    session: { command: string[]; options: RemoteCommandOptions } | 'portforward',
  ): string => {
    const token = randomUUID();
    waiting.set(token, session);
    return `${base}/${kind}/${token}`;
  };
  return {
    execUrl: (command, options) => register('exec', { command, options }),
    portForwardUrl: () => register('portforward', 'portforward'),
    running: () => running,
    close: () => server.close(),
  };
}

function runChild(
  command: string[],
  options: RemoteCommandOptions,
  streams: RemoteCommandStreams,
): Promise<CommandStatus> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = command;
    const child = spawn(file, args, { stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'], detached: true });
    // The whole group: a grandchild would keep the pipes open.
    const kill = (): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    };
    streams.signal.addEventListener('abort', kill, { once: true });
    if (streams.signal.aborted) kill();
    if (child.stdin !== null && streams.stdin !== undefined) {
      child.stdin.on('error', () => {});
      streams.stdin.pipe(child.stdin);
    }
    if (streams.stdout !== undefined) child.stdout?.pipe(streams.stdout, { end: false });
    else child.stdout?.resume();
    if (streams.stderr !== undefined) child.stderr?.pipe(streams.stderr, { end: false });
    else child.stderr?.resume();
    if (streams.resize !== undefined) void reportSizes(streams.resize, streams);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(COMMAND_SUCCEEDED);
      else resolve(exitedWith(code ?? 137, `exit code ${code ?? signal}`));
    });
  });
}

/** There is no terminal here; each size the client sends is written to its output instead. */
async function reportSizes(resize: Readable, streams: RemoteCommandStreams): Promise<void> {
  for await (const chunk of resize) streams.stdout?.write(`size ${String(chunk).trim()}\r\n`);
}
