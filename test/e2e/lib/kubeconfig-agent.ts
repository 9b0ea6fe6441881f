import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { parse } from 'yaml';

/** Connections that stay, with the certificates in a kubeconfig. */
export function agentOf(kubeconfig: string): Agent {
  const config = parse(readFileSync(kubeconfig, 'utf8'));
  const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
  const { user } = config.users[0];
  return new Agent({
    keepAlive: true,
    ca: decode(config.clusters[0].cluster['certificate-authority-data']),
    cert: decode(user['client-certificate-data']),
    key: decode(user['client-key-data']),
  });
}
