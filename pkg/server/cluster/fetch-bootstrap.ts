import { type Clock, sleep } from '../../base/clock.ts';
import { OperatorError } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import { fetchPinnedCa } from '../../bootstrap/ca-pin.ts';
import { connectionFailure, UnansweredError } from '../../bootstrap/connection-failure.ts';
import { parseJoinToken } from '../../bootstrap/join-token.ts';
import {
  SERVER_BOOTSTRAP_PATH,
  type ServerBootstrap,
  serverBootstrapSchema,
} from '../../bootstrap/server-bootstrap.ts';
import { type Answer, ask } from '../../host/ask.ts';

export interface FetchBootstrapOptions {
  /** `https://host:port` */
  readonly server: string;
  readonly token: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const RETRY_MS = 3_000;
const TIMEOUT_MS = 20_000;
const REMEDY = 'give the line in server/token in the data directory of a server';

/**
 * What a further server needs of its cluster, over a connection that the token's hash vouches for. Waits for a server
 * that is not there yet. Throws OperatorError when the server refuses.
 */
export async function fetchBootstrap(options: FetchBootstrapOptions): Promise<ServerBootstrap> {
  const { server, clock, log, signal } = options;
  const token = parseJoinToken(options.token);
  if (token.user !== undefined && token.user !== 'server') {
    throw new OperatorError(`the token is for agents: ${REMEDY}`);
  }
  for (;;) {
    try {
      const ca = await fetchPinnedCa({ server, token, signal });
      return await get({ server, ca, secret: token.secret, signal });
    } catch (error) {
      if (!(error instanceof UnansweredError)) throw error;
      log.warn('the cluster does not answer yet, trying again', { server, error: errorText(error) });
      await sleep(clock, RETRY_MS, signal);
      signal.throwIfAborted();
    }
  }
}

interface Where {
  readonly server: string;
  readonly ca: string;
  readonly secret: string;
  readonly signal: AbortSignal;
}

async function get({ server, ca, secret, signal }: Where): Promise<ServerBootstrap> {
  const headers = { authorization: `Bearer server:${secret}` };
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  let answer: Answer;
  try {
    answer = await ask(new URL(SERVER_BOOTSTRAP_PATH, server), { headers, ca, signal: limit });
  } catch (error) {
    throw connectionFailure(error, server);
  }
  if (answer.code === 401) throw new OperatorError(`${server} does not know the token: ${REMEDY}`);
  if (answer.code === 403) throw new OperatorError(`${server} does not let this token make a server: ${REMEDY}`);
  if (answer.code >= 500) throw new UnansweredError(`${server} answers ${answer.code}: it is not ready yet`);
  if (answer.code !== 200) {
    throw new OperatorError(
      `${server} answers ${answer.code} to a server that joins: run the same version on all servers`,
    );
  }
  const parsed = serverBootstrapSchema.safeParse(JSON.parse(answer.body.toString('utf8')));
  if (!parsed.success) {
    throw new OperatorError(`${server} does not speak as this kedge does: run the same version on all servers`);
  }
  return parsed.data;
}
