import { setTimeout as delay } from 'node:timers/promises';
import { ApiServerProcess } from '../integration/api-server.ts';
import { isAllowed } from './allowed.ts';
import { Cleaner } from './cleaning.ts';
import { HeapProbe } from './heap.ts';
import { type FuzzRequest, fuzzRequest } from './requests.ts';
import { setsGoing } from './targets.ts';
import { type FuzzAnswer, Wire } from './wire.ts';

export interface CampaignOptions {
  readonly seed: number;
  readonly requests: number;
  /** The first request; for doing one again. */
  readonly first?: number;
  readonly say?: (line: string) => void;
}

export interface CampaignResult {
  readonly sent: number;
  /** How many answers had each code. */
  readonly codes: Readonly<Record<string, number>>;
  /** How many requests of each kind were sent. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
  /** Bytes in use after each round, with everything removed again that requests had made. */
  readonly memory: readonly number[];
  readonly slowestMs: number;
  readonly seconds: number;
}

const ROUND = 2_500;
const READERS = 3;
/** What a server may hold on to: beside what it loads late, the latest events of each resource, which are bounded. */
const GROWTH_BYTES = 12 * 2 ** 20;
const GROWTH_BYTES_PER_REQUEST = 512;
const MOST_PROBLEMS = 60;
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
/** Any list tells the revision of the whole store. */
const REVISION: FuzzRequest = {
  kind: 'revision',
  method: 'GET',
  path: '/api/v1/namespaces/default/configmaps?limit=1&labelSelector=none%3Dnone',
  headers: {},
  anonymous: false,
};

/** Starts an API server, sends it requests, and tells what went wrong. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const server = await ApiServerProcess.start({ flags: ['--debug'], nodeFlags: ['--inspect=127.0.0.1:0'] });
  try {
    const heap = await HeapProbe.of(server.log);
    const wire = new Wire({ port: Number(new URL(server.url).port), tls: server.tls });
    try {
      return await new Campaign(server, wire, heap, options).run();
    } finally {
      wire.close();
      heap.close();
    }
  } finally {
    await server.stop();
  }
}

class Campaign {
  readonly #server: ApiServerProcess;
  readonly #wire: Wire;
  readonly #heap: HeapProbe;
  readonly #options: CampaignOptions;
  readonly #cleaner: Cleaner;
  readonly #codes: Record<string, number> = {};
  readonly #kinds: Record<string, number> = {};
  readonly #problems = new Map<string, string>();
  readonly #memory: number[] = [];
  #sent = 0;
  #slowestMs = 0;

  constructor(server: ApiServerProcess, wire: Wire, heap: HeapProbe, options: CampaignOptions) {
    this.#server = server;
    this.#wire = wire;
    this.#heap = heap;
    this.#options = options;
    this.#cleaner = new Cleaner(wire);
  }

  async run(): Promise<CampaignResult> {
    const { first = 0, requests, say } = this.#options;
    const begun = Date.now();
    await this.#cleaner.begin();
    for (let at = first; at < first + requests && this.#isWell(); at += ROUND) {
      await this.#round(at, Math.min(at + ROUND, first + requests));
      if (!this.#isWell()) break;
      for (const path of await this.#cleaner.clean()) this.#problem('cannot be deleted', path);
      this.#memory.push(await this.#heap.used());
      const mib = Math.round((this.#memory.at(-1) ?? 0) / 2 ** 20);
      say?.(`${this.#sent} requests, ${this.#problems.size} problems, ${mib} MiB in use`);
    }
    for (const line of this.#server.log.split('\n')) {
      // The second line of a failure has the stack.
      if (/(request|upgrade) failed.*stack|uncaught|unhandled/i.test(line))
        this.#problem(line.replace(/^.*stack=/, 'logged: '), '');
    }
    const growth = (this.#memory.at(-1) ?? 0) - (this.#memory[0] ?? 0);
    if (growth > GROWTH_BYTES + this.#sent * GROWTH_BYTES_PER_REQUEST) {
      this.#problem('memory grows', `bytes in use after each round: ${this.#memory.join(' ')}`);
    }
    if (!this.#server.isRunning) this.#problem('the server has ended', this.#server.log.slice(-3000));
    return {
      sent: this.#sent,
      codes: this.#codes,
      kinds: this.#kinds,
      problems: [...this.#problems.values()],
      memory: this.#memory,
      slowestMs: this.#slowestMs,
      seconds: (Date.now() - begun) / 1000,
    };
  }

  #isWell(): boolean {
    return this.#server.isRunning && this.#problems.size < MOST_PROBLEMS;
  }

  /** Writes go one after the other, so that each change of the store has its cause; reads beside them. */
  async #round(from: number, to: number): Promise<void> {
    const { seed } = this.#options;
    const writes: [number, FuzzRequest][] = [];
    const reads: [number, FuzzRequest][] = [];
    for (let index = from; index < to; index++) {
      const request = fuzzRequest(seed, index);
      (SAFE_METHODS.has(request.method) ? reads : writes).push([index, request]);
    }
    const writer = async (): Promise<void> => {
      let revision = await this.#revision();
      for (const [index, request] of writes) {
        if (!this.#isWell()) return;
        revision = await this.#write(index, request, revision);
      }
    };
    const reader = async (): Promise<void> => {
      for (let next = reads.shift(); next !== undefined && this.#isWell(); next = reads.shift())
        await this.#send(...next);
    };
    await Promise.all([writer(), ...Array.from({ length: READERS }, reader)]);
  }

  /** Sends a write; resolves to the store's revision after it. */
  async #write(index: number, request: FuzzRequest, before: string): Promise<string> {
    const answer = await this.#send(index, request);
    if (answer === undefined) return this.#settled();
    const accepted = answer.status < 400;
    if (accepted && setsGoing(request.path.split('?')[0] ?? '')) return this.#settled();
    const after = await this.#revision();
    if (after !== before && (!accepted || isDryRun(request))) {
      this.#problem('changed the store', `${accepted ? 'dry run' : 'refused'}: ${this.#shown(index, request, answer)}`);
    }
    return after;
  }

  async #revision(): Promise<string> {
    const { text } = await this.#wire.send(REVISION);
    return (JSON.parse(text) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
  }

  /** The revision when nothing has been written for a while. */
  async #settled(): Promise<string> {
    let last = await this.#revision();
    for (let same = 0; same < 3; ) {
      await delay(20);
      const now = await this.#revision();
      same = now === last ? same + 1 : 0;
      last = now;
    }
    return last;
  }

  async #send(index: number, request: FuzzRequest): Promise<FuzzAnswer | undefined> {
    this.#sent++;
    this.#kinds[request.kind] = (this.#kinds[request.kind] ?? 0) + 1;
    const begun = Date.now();
    try {
      const answer = await this.#wire.send(request, index % 7 === 0);
      this.#slowestMs = Math.max(this.#slowestMs, answer.endless ? 0 : Date.now() - begun);
      this.#codes[answer.status] = (this.#codes[answer.status] ?? 0) + 1;
      this.#judge(index, request, answer);
      return answer;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#problem(`no answer: ${text}`, this.#shown(index, request));
      return undefined;
    }
  }

  #judge(index: number, request: FuzzRequest, answer: FuzzAnswer): void {
    const { status, text, headers } = answer;
    const isJson = String(headers['content-type'] ?? '').startsWith('application/json');
    if (status >= 400 && isJson && text !== '' && !isStatus(text, status)) {
      this.#problem('not a Status', this.#shown(index, request, answer));
    }
    if (status >= 500 && !isAllowed(request, status, text)) {
      const form = text.replaceAll(/[\s\S]*"message":|\d+/g, '*').slice(0, 80);
      this.#problem(`${status} ${form}`, this.#shown(index, request, answer));
    }
  }

  /** Problems that look the same are told once. */
  #problem(key: string, text: string): void {
    if (this.#problems.has(key)) return;
    this.#problems.set(key, `${key}: ${text}`);
    this.#options.say?.(`${key}: ${text}`);
  }

  #shown(index: number, { method, path, headers, body }: FuzzRequest, answer?: FuzzAnswer): string {
    const sent = `${method} ${path.slice(0, 400)} ${JSON.stringify(headers).slice(0, 400)} ${body?.toString('latin1').slice(0, 1500) ?? ''}`;
    const got = answer === undefined ? '' : `\n    → ${answer.status} ${answer.text.slice(0, 600)}`;
    return `--seed ${this.#options.seed} --first ${index} --requests 1\n    ${sent}${got}`;
  }
}

/** Whether a refusal is a Status of its code. */
function isStatus(text: string, code: number): boolean {
  try {
    const status = JSON.parse(text) as { kind?: unknown; code?: unknown };
    return status.kind === 'Status' && status.code === code;
  } catch {
    return false;
  }
}

function isDryRun({ method, path, body }: FuzzRequest): boolean {
  const query = new URLSearchParams(path.split('?')[1] ?? '');
  return query.getAll('dryRun').includes('All') && (method !== 'DELETE' || body === undefined);
}
