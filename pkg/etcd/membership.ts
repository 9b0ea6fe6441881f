import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { errorText, type Logger } from '../base/log.ts';
import type { EtcdClient, EtcdMessage } from '../datastore/etcd/client.ts';
import type { EtcdLayout } from './layout.ts';

export type Member = EtcdMessage<'Member'>;

/** This member's name, made at the first start: one that comes back without its data is another member. */
export async function memberName(layout: EtcdLayout, nodeName: string): Promise<string> {
  const known = (await readIfPresent(layout.name))?.trim();
  if (known !== undefined && known !== '') return known;
  const name = `${nodeName}-${randomBytes(4).toString('hex')}`;
  await writeFileAtomic(layout.name, `${name}\n`, { mode: 0o600, durable: true });
  return name;
}

/** Keeps where the others are, for a learner: it may not be asked for the members itself. */
export async function writePeers(layout: EtcdLayout, clientURLs: readonly string[]): Promise<void> {
  await writeFileAtomic(layout.peers, `${JSON.stringify(clientURLs)}\n`, { mode: 0o600 });
}

export async function readPeers(layout: EtcdLayout): Promise<string[]> {
  const text = await readIfPresent(layout.peers);
  const value: unknown = text === undefined ? [] : JSON.parse(text);
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

export interface JoinOptions {
  /** Clients of members that vote. */
  readonly clients: readonly EtcdClient[];
  readonly name: string;
  readonly peerURL: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const RETRY_MS = 1_000;

/**
 * Enters this server among the members as a learner: it has no vote until it has all data, so that a server that never
 * comes cannot cost the cluster its quorum. Waits while another one is being added. Resolves to `name=peerURL` of all.
 */
export async function addLearner(options: JoinOptions): Promise<string[]> {
  const { name, peerURL, log } = options;
  return onAny(options, 'this server cannot be added to etcd yet, trying again', async (client) => {
    const { members } = await client.call('memberList', { linearizable: true });
    const mine = members.find((member) => member.peerURLs.includes(peerURL));
    // Entered, but never started.
    if (mine !== undefined && mine.name === '') return initialCluster(members, mine.id, name);
    if (mine !== undefined) {
      // Its data is lost: a member that comes back empty would have forgotten what it agreed to.
      log.warn('this server was a member before and has lost its data: it is entered anew', { member: mine.name });
      await client.call('memberRemove', { id: mine.id });
    }
    const added = await client.call('memberAdd', { peerURLs: [peerURL], isLearner: true });
    return initialCluster(added.members, added.member?.id ?? 0n, name);
  });
}

function initialCluster(members: readonly Member[], own: bigint, name: string): string[] {
  return members.flatMap((member) => member.peerURLs.map((url) => `${member.id === own ? name : member.name}=${url}`));
}

/** Makes a learner a voter as soon as it has caught up. */
export async function promote(options: JoinOptions, id: bigint): Promise<void> {
  await onAny(options, 'this server is still catching up', async (client) => {
    const { members } = await client.call('memberList', { linearizable: true });
    if (members.find((member) => member.id === id)?.isLearner === false) return;
    await client.call('memberPromote', { id });
  });
}

/** Calls `act` with one client after the other until it succeeds; etcd's refusals here pass by themselves. */
async function onAny<T>(
  { clients, clock, log, signal }: JoinOptions,
  complaint: string,
  act: (client: EtcdClient) => Promise<T>,
): Promise<T> {
  let last = '';
  for (let tries = 0; ; tries++) {
    for (const client of clients) {
      try {
        return await act(client);
      } catch (error) {
        last = errorText(error);
      }
    }
    if (tries % 10 === 5) log.warn(complaint, { error: last });
    await sleep(clock, RETRY_MS, signal);
    signal.throwIfAborted();
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
