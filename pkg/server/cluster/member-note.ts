import { nodes } from '../../api/resources.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import type { Component } from '../../base/component.ts';
import { errorText, type Logger } from '../../base/log.ts';
import type { Client } from '../../client/client.ts';
import { MEMBER_ANNOTATION } from './member-watch.ts';

const ROLE = 'node-role.kubernetes.io/etcd';
const RETRY_MS = 5_000;

export interface MemberNoteOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly memberName: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Notes at this server's Node which member of etcd it is: whoever deletes the Node then takes the member out. */
export function memberNote({ client, nodeName, memberName, clock, log }: MemberNoteOptions): Component {
  const stopping = new AbortController();
  const note = async (): Promise<void> => {
    const informer = client.informer(nodes);
    while (!stopping.signal.aborted) {
      const { metadata } = informer.get(nodeName) ?? {};
      if (metadata !== undefined && metadata.annotations?.[MEMBER_ANNOTATION] !== memberName) {
        const body = { metadata: { annotations: { [MEMBER_ANNOTATION]: memberName }, labels: { [ROLE]: 'true' } } };
        await client.patch(nodes, nodeName, { type: 'merge', body }).catch((error: unknown) => {
          log.debug('the node does not tell its member of etcd yet', { error: errorText(error) });
        });
      }
      await sleep(clock, RETRY_MS, stopping.signal);
    }
  };
  let running: Promise<void> = Promise.resolve();
  return {
    name: 'etcd-member-note',
    async start() {
      running = note();
    },
    async ready() {},
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
