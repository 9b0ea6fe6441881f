import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { formatAge } from '../../pkg/apimachinery/age.ts';
import { parseDuration } from '../../pkg/apimachinery/duration.ts';
import { StatusError } from '../../pkg/apimachinery/status-error.ts';
import { formatTime } from '../../pkg/apimachinery/time.ts';
import { systemClock } from '../../pkg/base/clock.ts';
import { OperatorError } from '../../pkg/base/component.ts';
import { errorText } from '../../pkg/base/log.ts';
import {
  createBootstrapToken,
  deleteBootstrapToken,
  generateBootstrapToken,
  listBootstrapTokens,
} from '../../pkg/bootstrap/bootstrap-tokens.ts';
import { requestRotation } from '../../pkg/bootstrap/join-client.ts';
import { caBundleHash, formatJoinToken } from '../../pkg/bootstrap/join-token.ts';
import { type KubeconfigContent, parseKubeconfig } from '../../pkg/bootstrap/kubeconfig.ts';
import type { Client } from '../../pkg/client/client.ts';
import { createHttpClient } from '../../pkg/client/http/http-client.ts';
import { machineSetting, say, terminalLogger } from './machine-settings.ts';

const DEFAULT_TTL = '24h0m0s';

/** `kedge token …`: tokens with which machines join, made and taken back on a server; k3s' command. */
export function addTokenCommand(program: Command): void {
  const token = program.command('token').description('manage tokens with which machines join');
  token.helpOption('-h, --help', 'show this help').helpCommand(false);
  const add = (usage: string, description: string): Command =>
    token
      .command(usage)
      .description(description)
      .helpOption('-h, --help', 'show this help')
      .option('--kubeconfig <file>', 'kubeconfig of an administrator (default: the one kedge server writes)');

  add('create [token]', 'make a token and print it in its long form')
    .option('--description <text>', 'what the token is for', '')
    .option('--ttl <duration>', 'how long it may be used, as in 90m; 0 for ever (default: 24h0m0s)', DEFAULT_TTL)
    .action(async (given: string | undefined, options: { kubeconfig?: string; description: string; ttl: string }) => {
      const ttl = parseDuration(options.ttl);
      if (ttl === undefined || ttl < 0)
        throw new OperatorError(`--ttl: "${options.ttl}" is no duration like 90m or 24h`);
      const secret = given ?? generateBootstrapToken();
      const { description } = options;
      const expiration = ttl === 0 ? undefined : formatTime(Date.now() + ttl);
      await withCluster(options.kubeconfig, async (client, { certificateAuthority }) => {
        await createBootstrapToken(client, secret, { description, expiration });
        say(formatJoinToken({ caHash: caBundleHash(certificateAuthority), user: undefined, secret }));
      });
    });

  add('list', 'show the tokens there are')
    .alias('ls')
    .action((options: { kubeconfig?: string }) =>
      withCluster(options.kubeconfig, async (client) => {
        const rows = (await listBootstrapTokens(client)).map(({ id, secret, expiration, description }) => [
          `${id}.${secret}`,
          expiration === undefined ? '<forever>' : remaining(Date.parse(expiration) - Date.now()),
          expiration ?? '<never>',
          description === '' ? '<none>' : description,
        ]);
        for (const line of table([['TOKEN', 'TTL', 'EXPIRES', 'DESCRIPTION'], ...rows])) say(line);
      }),
    );

  add('delete <token...>', 'take tokens back, named by their first six letters or whole').action(
    (tokens: string[], options: { kubeconfig?: string }) =>
      withCluster(options.kubeconfig, async (client) => {
        for (const one of tokens) {
          await deleteBootstrapToken(client, one);
          say(`token "${one.split('.')[0]}" deleted`);
        }
      }),
  );

  token
    .command('generate')
    .description('print a token that `kedge token create` takes, and do nothing else')
    .helpOption('-h, --help', 'show this help')
    .action(() => say(generateBootstrapToken()));

  add('rotate', "change this server's own join token, the one in server/token")
    .option('--new-token <text>', 'the new password (default: a random one)')
    .action((options: { kubeconfig?: string; newToken?: string }) =>
      withCluster(options.kubeconfig, async (_client, { server, certificateAuthority: ca, client }) => {
        const credentials = { cert: client.certificate, key: client.key };
        const secret = options.newToken ?? randomBytes(16).toString('hex');
        const where = { server, ca, signal: new AbortController().signal };
        say(await requestRotation(where, credentials, secret));
      }),
    );
}

/** Calls `work` with the API of this machine's cluster. Throws OperatorError for whatever goes wrong. */
async function withCluster(
  kubeconfig: string | undefined,
  work: (client: Client, content: KubeconfigContent) => Promise<void>,
): Promise<void> {
  const content = readConfig(kubeconfig ?? machineSetting('write-kubeconfig'));
  const client = createHttpClient({
    servers: [content.server],
    ca: content.certificateAuthority,
    credentials: { cert: content.client.certificate, key: content.client.key },
    userAgent: 'kedge-token',
    clock: systemClock,
    log: terminalLogger(),
  });
  try {
    await work(client, content);
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    if (error instanceof StatusError) throw new OperatorError(error.message);
    throw new OperatorError(`${errorText(error)}: is kedge server running here?`);
  } finally {
    client.close();
  }
}

function readConfig(path: string): KubeconfigContent {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new OperatorError(
      `${path} cannot be read (${errorText(error)}): run this as root on a server, or give --kubeconfig`,
    );
  }
  try {
    return parseKubeconfig(text);
  } catch (error) {
    throw new OperatorError(`${path} is no kubeconfig of a kedge server: give another with --kubeconfig`, {
      cause: error,
    });
  }
}

function remaining(ms: number): string {
  return ms <= 0 ? '<expired>' : formatAge(ms);
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd((widths[column] ?? 0) + 3))
      .join('')
      .trimEnd(),
  );
}
