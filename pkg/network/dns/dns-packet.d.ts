/** The part of dns-packet that is used; the package brings no types. */
declare module 'dns-packet' {
  interface RecordCodec {
    /** The record's data behind its two-byte length. */
    encode(data: unknown): Buffer;
  }
  interface Packet {
    id?: number;
    type?: 'query' | 'response';
    flags?: number;
    rcode?: string;
    flag_tc?: boolean;
    flag_aa?: boolean;
    questions?: { name: string; type: string; class?: string }[];
    answers?: { name: string; type: string; ttl?: number; data?: unknown }[];
    authorities?: { name: string; type: string; ttl?: number; data?: unknown }[];
    additionals?: object[];
  }
  interface DnsPacket {
    record(type: string): RecordCodec;
    encode(packet: Packet): Buffer;
    decode(message: Buffer): Packet;
  }
  const dnsPacket: DnsPacket;
  export default dnsPacket;
}
