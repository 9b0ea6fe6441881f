/** What the kubelet calls: a client's exec, attach or port-forward joined with a streaming URL of the container runtime. */

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ServeCommandOptions } from './command-session.ts';
import { dialRuntimePortForward, runRuntimeCommand } from './cri-client.ts';
import { type ServePortForwardOptions, servePortForward } from './port-forward.ts';
import { serveRemoteCommand } from './remote-command.ts';

/**
 * Joins an exec or attach request with the URL that the CRI calls Exec or Attach returned. `options` must name the same
 * streams as that call did. Resolves when both connections are gone; never rejects.
 */
export function proxyCommand(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  criUrl: string,
  options: ServeCommandOptions,
): Promise<void> {
  return serveRemoteCommand(req, socket, head, options, (streams) => runRuntimeCommand(criUrl, options, streams));
}

/** Joins a port-forward request with the URL that the CRI call PortForward returned. Otherwise as `proxyCommand`. */
export function proxyPortForward(
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  criUrl: string,
  options: ServePortForwardOptions,
): Promise<void> {
  return servePortForward(req, socket, head, options, (signal) => dialRuntimePortForward(criUrl, signal));
}
