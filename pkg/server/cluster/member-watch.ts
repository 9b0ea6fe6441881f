import type { Node } from '../../api/generated/core-v1.ts';
import { nodes } from '../../api/resources.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import type { Component } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import type { EtcdMember } from '../../etcd/member.ts';
import { warnOfQuorum } from './start-etcd.ts';

/** On a server's Node: the name of its member of etcd. */
export const MEMBER_ANNOTATION = 'etcd.kedge.io/member-name';

export interface MemberWatchOptions {
  readonly client: Client;
  readonly member: EtcdMember;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_MS = 60_000;
const RETRY_MS = 2_000;

/**
 * Takes a server whose Node was deleted out of etcd, as k3s's etcd controller: a server that will not come back must not
 * count towards the quorum. Runs on the leader.
 */
export class MemberWatch implements Component {
  readonly name = 'etcd-members';
  readonly #options: MemberWatchOptions;
  readonly #stopping = new AbortController();
  #unsubscribe: () => void = () => {};
  #running: Promise<void> = Promise.resolve();
  #voters = 0;

  constructor(options: MemberWatchOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const informer = this.#options.client.informer(nodes);
    await informer.synced();
    this.#unsubscribe = informer.subscribe(({ type, object }) => {
      const member = type === 'deleted' ? memberOf(object) : undefined;
      if (member !== undefined) this.#running = this.#running.then(() => this.#remove(object.metadata.name, member));
    });
    void this.#look();
  }

  async ready(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#unsubscribe();
    await this.#running;
  }

  async #remove(node: string, name: string): Promise<void> {
    const { member, clock, log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const client = member.client();
      try {
        const { members } = await client.call('memberList', { linearizable: true });
        const found = members.find((each) => each.name === name);
        if (found !== undefined) await client.call('memberRemove', { id: found.id });
        log.info('a deleted node is no member of etcd any more', { node, member: name });
        return;
      } catch (error) {
        log.warn('a deleted node is still a member of etcd', { node, member: name, error: errorText(error) });
      } finally {
        client.close();
      }
      await sleep(clock, RETRY_MS, signal);
    }
  }

  /** Tells when the cluster comes to have two servers. */
  async #look(): Promise<void> {
    const { member, clock, log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const members = await member.members();
        const voters = members.filter((each) => !each.isLearner).length;
        if (voters !== this.#voters) warnOfQuorum(members, log);
        this.#voters = voters;
      } catch (error) {
        log.debug("etcd's members are not known", { error: errorText(error) });
      }
      await sleep(clock, LOOK_MS, signal);
    }
  }
}

function memberOf({ metadata }: Node): string | undefined {
  return metadata.annotations?.[MEMBER_ANNOTATION];
}
