import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { unpackFromSid } from './debian-sid.ts';
import { BUILD_DIR } from './project.ts';
import { step } from './report.ts';

const TOOL_DIR = join(BUILD_DIR, 'tools', 'api-vectors');
const PACKAGES = ['golang-k8s-api-dev', 'golang-k8s-apiextensions-apiserver-dev'] as const;
/** The `k8s.io` folder of the Go packages. */
export const UPSTREAM_SOURCES = join(TOOL_DIR, 'root', 'usr', 'share', 'gocode', 'src', 'k8s.io');

/**
 * Upstream's Go packages (`api`, `apiextensions-apiserver`), which hold test vectors of every kind, fetched once from
 * Debian sid. Throws OperatorError when the archive cannot be reached.
 */
export async function ensureTestVectors(): Promise<void> {
  if (!existsSync(UPSTREAM_SOURCES))
    await step("fetching upstream's test vectors", () => unpackFromSid([...PACKAGES], TOOL_DIR));
}
