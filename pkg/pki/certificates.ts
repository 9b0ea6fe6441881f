import type { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import type { Clock } from '../base/clock.ts';
import { type Component, OperatorError } from '../base/component.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { Paths } from '../base/paths.ts';
import { DAY_MS, type ExistingLeaf, LEAF_LIFETIME_MS, planCertificates, RENEW_BEFORE_MS } from './certificate-plan.ts';
import { createAuthority, issueCertificate, type KeyPairPem } from './issue.ts';
import { readKeyPair, readLeaf } from './read-certificate.ts';
import { keepRenewed } from './renewal.ts';
import {
  AGENT_LEAVES,
  AUTHORITIES,
  type AuthorityName,
  type CertificateSubject,
  type LeafName,
  SERVER_LEAVES,
  wantedCertificates,
} from './wanted-certificates.ts';

/** Everything a server has, by name; a leaf's `certificate` carries its chain. */
export interface Certificates {
  readonly authorities: Readonly<Record<AuthorityName, KeyPairPem>>;
  readonly leaves: Readonly<Record<LeafName, KeyPairPem>>;
}

export interface CertificateOptions {
  readonly paths: Paths;
  readonly subject: CertificateSubject;
  /** How long certificates live, in ms; 365 days unless given. */
  readonly lifetimeMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

const KEY_MODE = 0o600;
const CERTIFICATE_MODE = 0o644;

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A certificate and its key, as far as they are on disk. */
export async function readPair(stem: string): Promise<Partial<KeyPairPem>> {
  const [certificate, key] = await Promise.all([readIfPresent(`${stem}.crt`), readIfPresent(`${stem}.key`)]);
  return { ...(certificate === undefined ? {} : { certificate }), ...(key === undefined ? {} : { key }) };
}

/** The key goes first: a certificate on disk therefore always has its key, also after a crash between the two. */
export async function writePair(stem: string, pair: KeyPairPem, durable: boolean): Promise<void> {
  await writeFileAtomic(`${stem}.key`, pair.key, { mode: KEY_MODE, durable });
  await writeFileAtomic(`${stem}.crt`, pair.certificate, { mode: CERTIFICATE_MODE, durable });
}

/** Reads an authority or makes it at the first start. One that is there is never replaced: all nodes trust it. */
export async function ensureAuthority(
  name: string,
  directory: string,
  options: Pick<CertificateOptions, 'clock' | 'log'>,
  commonName = name,
): Promise<KeyPairPem> {
  const stem = join(directory, name);
  const now = options.clock.now();
  const { certificate, key } = await readPair(stem);
  if (certificate === undefined) {
    const made = await createAuthority(`kedge-${commonName}@${Math.floor(now / 1000)}`, now);
    await writePair(stem, made, true);
    options.log.info('certificate authority created', { name });
    return made;
  }
  if (key === undefined) {
    throw new OperatorError(
      `certificate authority ${stem}.crt has no key: put ${stem}.key back (removing the .crt makes a new authority, which all nodes and clients have to be told)`,
    );
  }
  const read = readKeyPair({ certificate, key });
  if (read === undefined || !read.keyMatches) {
    throw new OperatorError(
      `certificate authority ${stem}.crt and ${stem}.key ${read === undefined ? 'cannot be read' : 'do not belong together'}: put them back from a backup (removing both makes a new authority, which all nodes and clients have to be told)`,
    );
  }
  const remaining = read.certificate.validToDate.getTime() - now;
  if (remaining <= 0) {
    throw new OperatorError(
      `certificate authority ${stem}.crt expired on ${read.certificate.validToDate.toISOString()}: check the clock, or put a new authority in its place`,
    );
  }
  if (remaining < RENEW_BEFORE_MS) {
    options.log.warn('certificate authority expires soon', { name, days: Math.floor(remaining / DAY_MS) });
  }
  return { certificate, key };
}

function leafStem(paths: Paths, name: LeafName): string {
  return join((AGENT_LEAVES as readonly string[]).includes(name) ? paths.agent : paths.tls, name);
}

/** One value per name, made one after another by `make`: the compiler then knows that no name is missing. */
async function forEachName<Name extends string, Value>(
  names: readonly Name[],
  make: (name: Name) => Promise<Value>,
): Promise<Record<Name, Value>> {
  const entries: [Name, Value][] = [];
  for (const name of names) entries.push([name, await make(name)]);
  return Object.fromEntries(entries) as Record<Name, Value>;
}

/**
 * Reads all certificates below `paths`, issuing what is missing or no longer fits; `changed` names what was issued.
 * Keys are 0600, `server/tls` 0700. Throws OperatorError when an authority cannot be used.
 */
export async function ensureCertificates(
  options: CertificateOptions,
): Promise<{ certificates: Certificates; changed: string[] }> {
  const { paths, clock, log, lifetimeMs = LEAF_LIFETIME_MS } = options;
  await mkdir(paths.dataDir, { recursive: true });
  await mkdir(paths.tls, { recursive: true, mode: 0o700 });
  await mkdir(paths.agent, { recursive: true });
  const authorities = await forEachName(AUTHORITIES, (name) => ensureAuthority(name, paths.tls, options));

  const parsed = new Map<string, X509Certificate>();
  for (const name of AUTHORITIES) {
    const read = readKeyPair(authorities[name]);
    if (read !== undefined) parsed.set(name, read.certificate);
  }
  const leafNames: readonly LeafName[] = [...SERVER_LEAVES, ...AGENT_LEAVES];
  const onDisk = await forEachName(leafNames, (name) => readPair(leafStem(paths, name)));
  const existing = new Map<string, ExistingLeaf>();
  for (const name of leafNames) {
    const { certificate, key } = onDisk[name];
    if (certificate === undefined || key === undefined) continue;
    const leaf = readLeaf({ certificate, key }, parsed);
    if (leaf !== undefined) existing.set(name, leaf);
  }

  const plan = new Map(
    planCertificates(existing, wantedCertificates(options.subject), clock.now(), lifetimeMs).map((issue) => [
      issue.leaf.name,
      issue,
    ]),
  );
  const leaves = await forEachName(leafNames, async (name): Promise<KeyPairPem> => {
    const { certificate, key } = onDisk[name];
    const issue = plan.get(name);
    if (issue === undefined && certificate !== undefined && key !== undefined) return { certificate, key };
    if (issue === undefined) throw new Error(`no certificate is wanted under the name ${name}`);
    const authority = authorities[issue.leaf.issuer as AuthorityName];
    const pair = await issueCertificate(issue.leaf, authority, clock.now(), lifetimeMs);
    await writePair(leafStem(paths, name), pair, false);
    log.info('certificate issued', { name, reason: issue.reason });
    return pair;
  });
  return { certificates: { authorities, leaves }, changed: [...plan.keys()] };
}

/**
 * Keeps the certificates fresh: issues what is needed at start and whenever one is due. Users of a certificate
 * subscribe and take over the new one.
 */
export class CertificateManager implements Component {
  readonly name = 'certificates';
  readonly #options: CertificateOptions;
  readonly #listeners = new Set<(certificates: Certificates) => void>();
  #current: Certificates | undefined;
  #stop: () => Promise<void> = async () => {};

  constructor(options: CertificateOptions) {
    this.#options = options;
  }

  /** How long certificates live, in ms. */
  get lifetimeMs(): number {
    return this.#options.lifetimeMs ?? LEAF_LIFETIME_MS;
  }

  /** The certificates in force. Throws before `start` has resolved. */
  get current(): Certificates {
    if (this.#current === undefined) throw new Error('the certificates were asked for before they were made');
    return this.#current;
  }

  /** Calls `listener` after certificates were renewed; returns a function that ends it. */
  onChange(listener: (certificates: Certificates) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(_signal: AbortSignal): Promise<void> {
    this.#current = (await ensureCertificates(this.#options)).certificates;
    const { clock, log, paths } = this.#options;
    this.#stop = keepRenewed({
      clock,
      lifetimeMs: this.lifetimeMs,
      leaves: () => Object.values(this.current.leaves),
      renew: () => this.#renew(),
      onError: (error) =>
        log.error('certificates could not be renewed', { error: errorText(error), directory: dirname(paths.tls) }),
    });
  }

  async ready(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#stop();
  }

  async #renew(): Promise<void> {
    const { certificates, changed } = await ensureCertificates(this.#options);
    if (changed.length === 0) return;
    this.#current = certificates;
    for (const listener of this.#listeners) listener(certificates);
  }
}
