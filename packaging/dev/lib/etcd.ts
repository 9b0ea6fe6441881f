import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { unpackFromSid } from './debian-sid.ts';
import { BUILD_DIR } from './project.ts';
import { step } from './report.ts';

const TOOL_DIR = join(BUILD_DIR, 'tools', 'etcd');
const UNPACKED = join(TOOL_DIR, 'root', 'usr', 'bin', 'etcd');

/** Debian sid's etcd, fetched once and unpacked below build/. Throws OperatorError when the archive cannot be reached. */
export async function ensureEtcd(): Promise<string> {
  if (!existsSync(UNPACKED)) await step("fetching Debian sid's etcd", () => unpackFromSid(['etcd-server'], TOOL_DIR));
  return UNPACKED;
}
