import dnsPacket from 'dns-packet';
import type { Forwarder } from './forwarder.ts';
import { encodeQuestion, type Query, RCODES, type Reply, type ResourceRecord } from './message.ts';
import type { Transport } from './upstream-query.ts';

const KEPT = new Set<string>(['A', 'AAAA', 'CNAME', 'SRV', 'TXT', 'PTR', 'NS']);

/**
 * Completes an ExternalName's CNAME with what upstreams say of its target, so that clients which take the first answer
 * for all there is find an address. Without an upstream the CNAME alone is the answer.
 */
export async function continueAlias(
  query: Query,
  own: Reply,
  target: string,
  transport: Transport,
  forwarder: Pick<Forwarder, 'forward'>,
): Promise<Reply> {
  const question = encodeQuestion(target, query.question.type);
  const forwarded = await forwarder.forward({ ...query, question, edns: undefined }, transport);
  if (forwarded === undefined) return own;
  const { answers = [], rcode } = dnsPacket.decode(forwarded.message);
  const found = answers
    .filter((record) => KEPT.has(record.type))
    .map(({ name, type, ttl = 0, data }): ResourceRecord => {
      return { name, type: type as ResourceRecord['type'], ttl: Math.max(0, ttl - forwarded.age), data };
    });
  return {
    ...own,
    rcode: rcode === 'NXDOMAIN' ? RCODES.NXDOMAIN : RCODES.NOERROR,
    authoritative: false,
    answers: [...own.answers, ...found],
  };
}
