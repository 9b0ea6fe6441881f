/** First contact of a joining machine: gets the cluster's CA bundle, and trusts it only when the token says so. */
import { X509Certificate } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import { OperatorError } from '../base/component.ts';
import { type Answer, ask } from '../host/ask.ts';
import { connectionFailure, UnansweredError } from './connection-failure.ts';
import { fitsCaBundle, type JoinToken } from './join-token.ts';

export interface CaPinOptions {
  /** `https://host:port` */
  readonly server: string;
  readonly token: JoinToken;
  readonly signal: AbortSignal;
  /** 10 s unless given. */
  readonly timeoutMs?: number;
}

const PATH = '/cacerts';
const TIMEOUT_MS = 10_000;

/**
 * The PEM bundle of the cluster at `server`, checked against the token's hash and against the server itself. The secret
 * of the token is not sent. Throws OperatorError naming cause and remedy; what may pass by itself (nobody answers, the
 * server is still starting) as UnansweredError.
 */
export async function fetchPinnedCa(options: CaPinOptions): Promise<string> {
  const { server, token } = options;
  // Whoever answers is not known yet: the hash decides whether to believe it.
  const fetched = await get(options, { rejectUnauthorized: false });
  if (fetched.code >= 500) throw new UnansweredError(`${server} answers ${fetched.code}: it is not ready yet`);
  if (fetched.code !== 200) {
    throw new OperatorError(`${server}${PATH} answers ${fetched.code}: is it the address of a kedge server?`);
  }
  const bundle = fetched.body.toString('utf8');
  requireCertificates(bundle, server);
  if (!fitsCaBundle(token, fetched.body)) {
    throw new OperatorError(
      `the CA of ${server} is not the one of the token: use the token of that cluster (server/token in its data directory); if it is, somebody else answers at that address`,
    );
  }
  await get(options, { ca: bundle, rejectUnauthorized: true });
  return bundle;
}

function requireCertificates(bundle: string, server: string): void {
  try {
    if (!new X509Certificate(bundle).ca) throw new TypeError('not a certificate authority');
  } catch (error) {
    const text = `${server}${PATH} gives no CA certificate: is it the address of a kedge server?`;
    throw new OperatorError(text, { cause: error });
  }
}

async function get({ server, signal, timeoutMs = TIMEOUT_MS }: CaPinOptions, tls: RequestOptions): Promise<Answer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    return await ask(new URL(PATH, server), { ...tls, signal: limit });
  } catch (error) {
    throw connectionFailure(error, server);
  }
}
