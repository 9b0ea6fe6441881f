import { rmSync, writeFileSync } from 'node:fs';
import { OperatorError } from '../../../pkg/base/component.ts';
import { type CommandResult, mustRun, run } from './command.ts';
import { say, seconds } from './report.ts';

/** What kedge needs of the host, by what it is for. Debian's and Ubuntu's names. */
export const PACKAGES = {
  runtime: [
    'ca-certificates',
    'conntrack',
    'containerd',
    'containernetworking-plugins',
    'iproute2',
    'kmod',
    'nftables',
    'runc',
  ],
  build: ['binutils', 'gcc', 'libc6-dev'],
  test: ['busybox-static', 'curl', 'faketime'],
  /** What the IPVS form of the Service proxy runs; tests run it in a guest (user-mode-linux.ts). */
  ipvs: ['ipset', 'iptables', 'ipvsadm'],
} as const satisfies Record<string, readonly string[]>;

export type PackageGroup = keyof typeof PACKAGES;

const POLICY_FILE = '/usr/sbin/policy-rc.d';
const APT_OPTIONS = ['-q', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Dpkg::Use-Pty=0'];
const APT_ENV = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', LC_ALL: 'C' };

/** Runs apt-get without asking anything. */
export function aptGet(args: readonly string[], cwd?: string): Promise<CommandResult> {
  return run('apt-get', [...APT_OPTIONS, ...args], { env: APT_ENV, ...(cwd === undefined ? {} : { cwd }) });
}

/** Those of `packages` that dpkg does not list as installed. */
export async function missingPackages(packages: readonly string[]): Promise<string[]> {
  // dpkg-query ends with 1 when it does not know one of the names; what it knows is printed all the same.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: these are dpkg-query's own placeholders
  const result = await run('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\\n', ...packages]);
  const installed = new Set(
    result.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return packages.filter((name) => !installed.has(name));
}

/**
 * Installs the packages of `groups` that are missing. Package services are not started: kedge runs its own
 * containerd. Throws OperatorError when it cannot.
 */
export async function ensurePackages(...groups: readonly PackageGroup[]): Promise<void> {
  await ensureNamedPackages([...new Set(groups.flatMap((group) => PACKAGES[group]))]);
}

/** Like `ensurePackages`, by the packages' names. */
export async function ensureNamedPackages(packages: readonly string[]): Promise<void> {
  const missing = await missingPackages(packages);
  if (missing.length === 0) return;
  const remedy = `install them yourself: apt-get install ${missing.join(' ')}`;
  if ((await run('apt-get', ['--version'])).code !== 0) {
    throw new OperatorError(
      `needed packages are missing and this is not Debian or Ubuntu: install ${missing.join(' ')}`,
    );
  }
  if (process.getuid?.() !== 0) throw new OperatorError(`Debian packages are missing; run this as root, or ${remedy}`);
  const begun = Date.now();
  say(`installing Debian packages: ${missing.join(' ')} ...`);
  if (!(await areKnown(missing))) await updateLists();
  let result = await installWithoutServices(missing);
  if (result.code !== 0) {
    // Old lists name versions that the archive has since replaced.
    await updateLists();
    result = await installWithoutServices(missing);
  }
  const left = await missingPackages(missing);
  if (left.length > 0) {
    const why = result.output.split('\n').filter((line) => line.startsWith('E: '));
    throw new OperatorError(`apt-get could not install ${left.join(' ')} (${why.join('; ')}); ${remedy}`);
  }
  say(`Debian packages installed in ${seconds(begun)}`);
}

/** Downloads a package's file into `folder` without installing it. Throws OperatorError when it cannot. */
export async function downloadPackage(name: string, folder: string): Promise<void> {
  const download = (): Promise<CommandResult> => aptGet(['-o', 'APT::Sandbox::User=root', 'download', name], folder);
  let result = await download();
  if (result.code !== 0) {
    await updateLists();
    result = await download();
  }
  if (result.code === 0) return;
  const why = result.output.split('\n').filter((line) => line.startsWith('E: '));
  throw new OperatorError(`apt-get could not download ${name} (${why.join('; ')})`);
}

async function areKnown(packages: readonly string[]): Promise<boolean> {
  const output = await mustRun('apt-cache', ['policy', ...packages], { env: APT_ENV });
  const candidates = output.split('\n').filter((line) => /^\s+Candidate: (?!\(none\))/.test(line));
  return candidates.length >= packages.length;
}

/** An unreachable extra source makes apt-get complain but does not keep it from reading the others. */
async function updateLists(): Promise<void> {
  await aptGet(['update', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20']);
}

async function installWithoutServices(packages: readonly string[]): Promise<CommandResult> {
  const isOurs = writePolicy();
  try {
    return await aptGet(['install', '-y', '--no-install-recommends', ...packages]);
  } finally {
    if (isOurs) rmSync(POLICY_FILE, { force: true });
  }
}

/** Debian's agreed way to keep installed services from starting: a policy program that says 101, "not allowed". */
function writePolicy(): boolean {
  try {
    writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' });
    return true;
  } catch (error) {
    // The host has a policy of its own: it decides.
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
