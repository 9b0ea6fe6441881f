import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { TokenAuthenticator } from '../../apiserver/authn/authenticator.ts';
import type { TokenResult } from '../../apiserver/authn/service-account-token.ts';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { OperatorError } from '../../base/component.ts';
import type { Paths } from '../../base/paths.ts';
import { caBundleHash, formatJoinToken, isSameSecret, parseJoinToken } from '../../bootstrap/join-token.ts';

/** Everybody who holds a token. */
export const BOOTSTRAPPERS = 'system:bootstrappers';
/** Who holds the servers' token, with which another server may join, too. */
export const SERVER_BOOTSTRAPPERS = 'system:bootstrappers:kedge:server';

export interface JoinTokenOptions {
  readonly paths: Paths;
  /** `--token`; the one in the data directory, or a new one, when undefined. */
  readonly token: string | undefined;
  /** `--agent-token`; agents use the servers' token when undefined. */
  readonly agentToken: string | undefined;
  /** The bundle that `/cacerts` serves. */
  readonly caBundle: string;
}

const FILE_MODE = 0o600;

/**
 * The tokens of this cluster as k3s keeps them: `server/token` for servers (and agents), `server/agent-token` for
 * agents only, which is a link to the former unless `--agent-token` was given; `server/node-token` is k3s' old name.
 */
export class JoinTokens implements TokenAuthenticator {
  readonly #options: JoinTokenOptions;
  #server: string;
  #agent: string | undefined;

  private constructor(options: JoinTokenOptions, server: string, agent: string | undefined) {
    this.#options = options;
    this.#server = server;
    this.#agent = agent;
  }

  /** Reads or makes the token and writes the files. Throws OperatorError for a token of another cluster. */
  static async open(options: JoinTokenOptions): Promise<JoinTokens> {
    const kept = await readIfPresent(options.paths.token);
    const server = secretOf(options.token ?? kept, options) ?? randomBytes(16).toString('hex');
    const tokens = new JoinTokens(options, server, secretOf(options.agentToken, options));
    await tokens.#write();
    return tokens;
  }

  /** The token that servers and agents join with, in its long form. */
  get serverToken(): string {
    return this.#format('server', this.#server);
  }

  /** Knows bearer tokens of the form `<user>:<password>`. */
  authenticate(token: string): TokenResult | undefined {
    const colon = token.indexOf(':');
    const user = token.slice(0, colon);
    if (colon < 0 || (user !== 'server' && user !== 'node')) return undefined;
    const secret = token.slice(colon + 1);
    const isServers = isSameSecret(secret, this.#server);
    const isAgents = user === 'node' && this.#agent !== undefined && isSameSecret(secret, this.#agent);
    if (!isServers && !isAgents) return { error: 'the join token is wrong' };
    const groups = user === 'server' ? [BOOTSTRAPPERS, SERVER_BOOTSTRAPPERS] : [BOOTSTRAPPERS];
    return { user: { name: `system:kedge:${user}`, groups }, audiences: [] };
  }

  /** From now on `secret` is the password of the servers' token, also after a restart without `--token`. */
  async rotate(secret: string): Promise<void> {
    this.#server = secret;
    await this.#write();
  }

  #format(user: string, secret: string): string {
    return formatJoinToken({ caHash: caBundleHash(this.#options.caBundle), user, secret });
  }

  async #write(): Promise<void> {
    const { token, agentToken, nodeToken } = this.#options.paths;
    await mkdir(dirname(token), { recursive: true, mode: 0o700 });
    await writeIfOther(token, this.serverToken);
    await linkTo('token', nodeToken);
    if (this.#agent === undefined) return linkTo('token', agentToken);
    if (await isLink(agentToken)) await rm(agentToken);
    await writeIfOther(agentToken, this.#format('node', this.#agent));
  }
}

/** The password in a token of this cluster. */
function secretOf(text: string | undefined, { caBundle }: JoinTokenOptions): string | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const token = parseJoinToken(text);
  if (token.caHash !== undefined && token.caHash !== caBundleHash(caBundle)) {
    throw new OperatorError(
      "the token is another cluster's (its CA hash is not this server's): give only its password to begin a new cluster with it, or --server to join that one",
    );
  }
  return token.secret;
}

async function writeIfOther(path: string, token: string): Promise<void> {
  if ((await readIfPresent(path))?.trim() === token) return;
  await writeFileAtomic(path, `${token}\n`, { mode: FILE_MODE, durable: true });
}

async function linkTo(target: string, path: string): Promise<void> {
  if (await isLink(path)) return;
  await rm(path, { force: true });
  await symlink(target, path);
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
