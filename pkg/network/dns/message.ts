import dnsPacket from 'dns-packet';

/** DNS messages as bytes: reading what clients and upstreams send without trusting it, writing answers. RFC 1035, 6891. */

export const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const;
export const RCODES = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5, BADVERS: 16 } as const;
export const FLAGS = {
  response: 0x8000,
  authoritative: 0x400,
  truncated: 0x200,
  wanted: 0x100,
  available: 0x80,
} as const;
const OPCODE_MASK = 0x7800;
const CHECKING_DISABLED = 0x10;
const CLASS_IN = 1;
const HEADER = 12;
/** What UDP clients without EDNS accept, and the size that passes every path without fragments. */
const PLAIN_UDP_SIZE = 512;
export const UDP_SIZE = 1232;

export interface Question {
  /** Lower case, without the final dot; the root is ''. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** As the client wrote it: replies repeat it byte for byte. */
  readonly bytes: Buffer;
}

export interface Query {
  readonly id: number;
  readonly flags: number;
  readonly question: Question;
  readonly edns: { readonly udpSize: number; readonly dnssecOk: boolean } | undefined;
}

/** A message that cannot be answered otherwise than with this code. */
export interface BadQuery {
  readonly id: number;
  readonly flags: number;
  readonly rcode: number;
  readonly question: Question | undefined;
}

export interface ResourceRecord {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'CNAME' | 'NS' | 'PTR' | 'SOA' | 'SRV' | 'TXT';
  /** Seconds. */
  readonly ttl: number;
  /** As dns-packet takes it. */
  readonly data: unknown;
}

/** A resource record in a message: where its parts are. */
interface RecordPlace {
  readonly type: number;
  readonly class: number;
  readonly ttlOffset: number;
  readonly dataOffset: number;
  readonly dataLength: number;
}

class Malformed extends Error {}

/** The offset after the name at `offset`; follows no pointer, as only its end is wanted. */
function skipName(message: Buffer, offset: number): number {
  let at = offset;
  for (;;) {
    const length = message[at];
    if (length === undefined) throw new Malformed();
    if (length === 0) return at + 1;
    if (length >= 0xc0) {
      if (at + 2 > message.length) throw new Malformed();
      return at + 2;
    }
    if (length > 63) throw new Malformed();
    at += length + 1;
  }
}

function readQuestion(message: Buffer): Question {
  const labels: string[] = [];
  let at = HEADER;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63 || at - HEADER > 254) throw new Malformed();
    if (length === 0) break;
    if (at + 1 + length > message.length) throw new Malformed();
    labels.push(message.toString('latin1', at + 1, at + 1 + length).replaceAll('.', '\\.'));
    at += length + 1;
  }
  const end = at + 5;
  if (end > message.length) throw new Malformed();
  const name = labels.join('.').replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return {
    name,
    type: message.readUInt16BE(at + 1),
    class: message.readUInt16BE(at + 3),
    bytes: message.subarray(HEADER, end),
  };
}

function readRecords(message: Buffer, start: number): RecordPlace[] {
  const count = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  const places: RecordPlace[] = [];
  let at = start;
  for (let index = 0; index < count; index++) {
    at = skipName(message, at);
    if (at + 10 > message.length) throw new Malformed();
    const dataLength = message.readUInt16BE(at + 8);
    const dataOffset = at + 10;
    if (dataOffset + dataLength > message.length) throw new Malformed();
    const [type, recordClass] = [message.readUInt16BE(at), message.readUInt16BE(at + 2)];
    places.push({ type, class: recordClass, ttlOffset: at + 4, dataOffset, dataLength });
    at = dataOffset + dataLength;
  }
  return places;
}

/** Reads a client's message; undefined when it is to be ignored: no DNS message, or a reply. */
export function parseQuery(message: Buffer): Query | BadQuery | undefined {
  if (message.length < HEADER) return undefined;
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  if ((flags & FLAGS.response) !== 0) return undefined;
  const bad = (rcode: number, question?: Question): BadQuery => ({ id, flags, rcode, question });
  if ((flags & OPCODE_MASK) !== 0) return bad(RCODES.NOTIMP);
  if (message.readUInt16BE(4) !== 1) return bad(RCODES.FORMERR);
  try {
    const question = readQuestion(message);
    const options = readRecords(message, HEADER + question.bytes.length).filter(({ type }) => type === TYPES.OPT);
    if (options.length > 1) return bad(RCODES.FORMERR, question);
    const [option] = options;
    if (option === undefined) return { id, flags, question, edns: undefined };
    // An OPT record's class is the client's UDP size; in place of the TTL stand version and flags.
    if (message[option.ttlOffset + 1] !== 0) return bad(RCODES.BADVERS, question);
    const dnssecOk = ((message[option.ttlOffset + 2] ?? 0) & 0x80) !== 0;
    return { id, flags, question, edns: { udpSize: option.class, dnssecOk } };
  } catch (error) {
    if (error instanceof Malformed) return bad(RCODES.FORMERR);
    throw error;
  }
}

/** How many bytes a reply by UDP may have. */
export function udpLimit({ edns }: Query): number {
  return edns === undefined ? PLAIN_UDP_SIZE : Math.min(Math.max(edns.udpSize, PLAIN_UDP_SIZE), UDP_SIZE);
}

function header(id: number, flags: number, counts: readonly [number, number, number, number]): Buffer {
  const buffer = Buffer.alloc(HEADER);
  for (const [index, value] of [id, flags, ...counts].entries()) buffer.writeUInt16BE(value & 0xffff, index * 2);
  return buffer;
}

function optRecord(extendedRcode: number, dnssecOk: boolean): Buffer {
  const buffer = Buffer.alloc(11);
  buffer.writeUInt16BE(TYPES.OPT, 1);
  buffer.writeUInt16BE(UDP_SIZE, 3);
  buffer[5] = extendedRcode;
  buffer[7] = dnssecOk ? 0x80 : 0;
  return buffer;
}

function encodeName(name: string): Buffer {
  return dnsPacket
    .record('CNAME')
    .encode(name === '' ? '.' : name)
    .subarray(2);
}

function encodeRecord(record: ResourceRecord, questionName: string | undefined): Buffer {
  // Most answers are about the name that was asked for: a pointer to it, at the first byte behind the header.
  const owner = record.name === questionName ? Buffer.from([0xc0, HEADER]) : encodeName(record.name);
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16BE(TYPES[record.type], 0);
  fixed.writeUInt16BE(CLASS_IN, 2);
  fixed.writeUInt32BE(record.ttl, 4);
  return Buffer.concat([owner, fixed, dnsPacket.record(record.type).encode(record.data)]);
}

/** Whether a name can be written: labels of 1 to 63 bytes, 253 in all. */
export function isEncodable(name: string): boolean {
  return name.length <= 253 && name.split('.').every((label) => label.length > 0 && Buffer.byteLength(label) <= 63);
}

export interface Reply {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

export function emptyReply(rcode: number): Reply {
  return { rcode, authoritative: false, answers: [], authorities: [], additionals: [] };
}

/**
 * The reply's bytes, at most `limit` of them: additional records are left out first, then, with the truncation flag
 * set, answers.
 */
export function encodeReply(query: Query | BadQuery, reply: Reply, limit: number): Buffer {
  const { question } = query;
  const edns = 'edns' in query ? query.edns : undefined;
  // A code above 15 can only be told in an OPT record.
  const option =
    edns !== undefined || reply.rcode > 15 ? optRecord(reply.rcode >> 4, edns?.dnssecOk ?? false) : Buffer.alloc(0);
  const questionBytes = question?.bytes ?? Buffer.alloc(0);
  const encode = (records: readonly ResourceRecord[]): Buffer[] =>
    records.map((record) => encodeRecord(record, question?.name));
  let room = limit - HEADER - questionBytes.length - option.length;
  const take = (records: readonly Buffer[]): Buffer[] => {
    const taken: Buffer[] = [];
    for (const bytes of records) {
      if (bytes.length > room) break;
      room -= bytes.length;
      taken.push(bytes);
    }
    return taken;
  };
  const answers = take(encode(reply.answers));
  const complete = answers.length === reply.answers.length;
  const authorities = complete ? take(encode(reply.authorities)) : [];
  const additionals = complete ? take(encode(reply.additionals)) : [];
  const flags =
    FLAGS.response |
    (query.flags & (FLAGS.wanted | CHECKING_DISABLED | OPCODE_MASK)) |
    FLAGS.available |
    (reply.authoritative ? FLAGS.authoritative : 0) |
    (complete ? 0 : FLAGS.truncated) |
    (reply.rcode & 0xf);
  const counts = [
    question === undefined ? 0 : 1,
    answers.length,
    authorities.length,
    additionals.length + (option.length > 0 ? 1 : 0),
  ] as const;
  return Buffer.concat([
    header(query.id, flags, counts),
    questionBytes,
    ...answers,
    ...authorities,
    ...additionals,
    option,
  ]);
}

/** The question for a name of kedge's own making, which `isEncodable` has to hold for. */
export function encodeQuestion(name: string, type: number): Question {
  const fixed = Buffer.alloc(4);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(CLASS_IN, 2);
  return { name, type, class: CLASS_IN, bytes: Buffer.concat([encodeName(name), fixed]) };
}

/** A query for an upstream: the client's question with nothing else of the client's. */
export function encodeQuery(id: number, query: Pick<Query, 'flags' | 'question' | 'edns'>): Buffer {
  const { question, edns } = query;
  const option = edns === undefined ? Buffer.alloc(0) : optRecord(0, edns.dnssecOk);
  const flags = FLAGS.wanted | (query.flags & CHECKING_DISABLED);
  return Buffer.concat([header(id, flags, [1, 0, 0, edns === undefined ? 0 : 1]), question.bytes, option]);
}

export interface UpstreamReply {
  readonly rcode: number;
  readonly truncated: boolean;
  /** Where the TTLs are that count down in a cache. */
  readonly ttlOffsets: readonly number[];
  /** Seconds it may be kept: the least TTL, or for a negative answer what its SOA record allows; 0: not at all. */
  readonly ttl: number;
}

/** Reads an upstream's message; undefined when it is malformed or does not answer the question. */
export function parseUpstreamReply(message: Buffer, id: number, question: Question): UpstreamReply | undefined {
  if (message.length < HEADER || message.readUInt16BE(0) !== id) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & FLAGS.response) === 0 || message.readUInt16BE(4) !== 1) return undefined;
  try {
    const echoed = readQuestion(message);
    if (echoed.name !== question.name || echoed.type !== question.type || echoed.class !== question.class) {
      return undefined;
    }
    const truncated = (flags & FLAGS.truncated) !== 0;
    const rcode = flags & 0xf;
    const records = readRecords(message, HEADER + echoed.bytes.length).filter(({ type }) => type !== TYPES.OPT);
    const ttls = records.map(({ ttlOffset }) => message.readUInt32BE(ttlOffset));
    const soa = records.find(({ type }) => type === TYPES.SOA);
    const negative = rcode === RCODES.NXDOMAIN || (rcode === RCODES.NOERROR && message.readUInt16BE(6) === 0);
    let ttl = ttls.length === 0 ? 0 : Math.min(...ttls);
    if (negative) {
      // RFC 2308: the lesser of the SOA's TTL and its last field; without a SOA nothing may be kept.
      const minimum = soa !== undefined && soa.dataLength >= 22 ? soa.dataOffset + soa.dataLength - 4 : undefined;
      ttl = minimum === undefined ? 0 : Math.min(ttl, message.readUInt32BE(minimum));
    } else if (rcode !== RCODES.NOERROR) {
      ttl = 0;
    }
    // A TTL with its highest bit set counts as 0.
    if (ttl > 0x7fffffff) ttl = 0;
    return { rcode, truncated, ttl: truncated ? 0 : ttl, ttlOffsets: records.map(({ ttlOffset }) => ttlOffset) };
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/**
 * An upstream's message as the reply to `query`: its id and spelling of the name, TTLs `age` seconds lower. Over `limit`
 * bytes only the question is left, marked truncated, so that the client asks again by TCP.
 */
export function adaptReply(
  message: Buffer,
  query: Query,
  ttlOffsets: readonly number[],
  age: number,
  limit: number,
): Buffer {
  const end = HEADER + query.question.bytes.length;
  const reply = Buffer.from(message.length > limit ? message.subarray(0, end) : message);
  reply.writeUInt16BE(query.id, 0);
  query.question.bytes.copy(reply, HEADER);
  let flags = (reply.readUInt16BE(2) & ~FLAGS.wanted) | (query.flags & FLAGS.wanted) | FLAGS.available;
  if (message.length > limit) {
    flags |= FLAGS.truncated;
    reply.fill(0, 6, HEADER);
  } else {
    for (const offset of ttlOffsets) reply.writeUInt32BE(Math.max(0, message.readUInt32BE(offset) - age), offset);
  }
  reply.writeUInt16BE(flags & 0xffff, 2);
  return reply;
}
