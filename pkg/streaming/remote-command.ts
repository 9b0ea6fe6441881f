import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorText } from '../base/log.ts';
import type { RemoteCommandStreams, ServeCommandOptions } from './command-session.ts';
import { type CommandStatus, commandFailed } from './command-status.ts';
import { openSpdyCommand } from './remote-command-spdy.ts';
import { openWebSocketCommand } from './remote-command-websocket.ts';
import { refuseUpgrade } from './upgrade.ts';
import { wantsWebSocket } from './websocket.ts';

/**
 * Serves one exec or attach request on an upgraded connection, over SPDY/3.1 or websocket, whichever the client asks
 * for. `run` does the command with the client's streams and tells how it ended; its rejection is reported to the client
 * as an internal error. Resolves when the connection is closed and everything freed; never rejects.
 * Upstream: k8s.io/kubelet/pkg/cri/streaming/remotecommand.
 */
export async function serveRemoteCommand(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  options: ServeCommandOptions,
  run: (streams: RemoteCommandStreams) => Promise<CommandStatus>,
): Promise<void> {
  try {
    if (!options.stdin && !options.stdout && !options.stderr) {
      refuseUpgrade(socket, 400, 'you must specify at least 1 of stdin, stdout, stderr');
      return;
    }
    const open = wantsWebSocket(req) ? openWebSocketCommand : openSpdyCommand;
    const session = await open(req, socket, head, options);
    if (session === undefined) return;
    let status: CommandStatus;
    try {
      status = await run(session.streams);
    } catch (error) {
      if (!session.streams.signal.aborted) {
        options.logger.warn('remote command failed', { error: errorText(error) });
      }
      status = commandFailed(errorText(error));
    }
    await session.finish(status);
  } catch (error) {
    options.logger.error('remote command session failed', { error: errorText(error) });
    socket.destroy();
  }
}
