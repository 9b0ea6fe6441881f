import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { KeyPairPem } from '../pki/issue.ts';

export interface KubeconfigContent {
  /** `https://host:port` of the API server. */
  readonly server: string;
  /** PEM bundle that the server's certificate is checked against. */
  readonly certificateAuthority: string;
  readonly client: KeyPairPem;
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
