import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { KeyPairPem } from '../pki/issue.ts';

export interface KubeconfigContent {
  /** `https://host:port` of the API server. */
  readonly server: string;
  /** PEM bundle that the server's certificate is checked against. */
  readonly certificateAuthority: string;
  readonly client: KeyPairPem;
}

const kubeconfigSchema = z.object({
  clusters: z.array(z.object({ cluster: z.object({ server: z.string(), 'certificate-authority-data': z.string() }) })),
  users: z.array(
    z.object({ user: z.object({ 'client-certificate-data': z.string(), 'client-key-data': z.string() }) }),
  ),
});

/** What `writeKubeconfig` wrote. Throws an Error for other kubeconfigs. */
export function parseKubeconfig(text: string): KubeconfigContent {
  const { clusters, users } = kubeconfigSchema.parse(parse(text));
  const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
  if (cluster === undefined || user === undefined) throw new Error('no cluster or no user in it');
  const decode = (data: string): string => Buffer.from(data, 'base64').toString('utf8');
  return {
    server: cluster.server,
    certificateAuthority: decode(cluster['certificate-authority-data']),
    client: { certificate: decode(user['client-certificate-data']), key: decode(user['client-key-data']) },
  };
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** A kubeconfig with everything embedded; cluster, context and user are all called `default`, as k3s calls them. */
export function renderKubeconfig(content: KubeconfigContent): string {
  const name = 'default';
  return stringify(
    {
      apiVersion: 'v1',
      clusters: [
        {
          cluster: {
            'certificate-authority-data': base64(content.certificateAuthority),
            server: content.server,
          },
          name,
        },
      ],
      contexts: [{ context: { cluster: name, user: name }, name }],
      'current-context': name,
      kind: 'Config',
      preferences: {},
      users: [
        {
          name,
          user: {
            'client-certificate-data': base64(content.client.certificate),
            'client-key-data': base64(content.client.key),
          },
        },
      ],
    },
    { lineWidth: 0 },
  );
}

/**
 * Writes a kubeconfig to `path` (making its directory), readable by its owner only unless `mode` says otherwise. A file
 * that says the same already is not written again.
 */
export async function writeKubeconfig(path: string, content: KubeconfigContent, mode = 0o600): Promise<void> {
  const text = renderKubeconfig(content);
  if (await isWritten(path, text, mode)) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, text, { mode });
}

async function isWritten(path: string, text: string, mode: number): Promise<boolean> {
  try {
    return ((await stat(path)).mode & 0o777) === mode && (await readFile(path, 'utf8')) === text;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
