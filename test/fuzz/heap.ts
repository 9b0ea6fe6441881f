import { WebSocket } from 'ws';

/** Looks into a Node.js process that was started with --inspect. */
export class HeapProbe {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
      if (id === undefined) return;
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  /** `log` is what the process said when it started. */
  static async of(log: string): Promise<HeapProbe> {
    const url = /ws:\/\/\S+/.exec(log)?.[0];
    if (url === undefined) throw new Error(`the process was not started with --inspect:\n${log}`);
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return new HeapProbe(socket);
  }

  #call(method: string, params: object = {}): Promise<unknown> {
    this.#last++;
    const id = this.#last;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answer;
  }

  /** Bytes in use after everything that is not used any more was let go: the heap, and buffers outside of it. */
  async used(): Promise<number> {
    await this.#call('HeapProfiler.collectGarbage');
    await this.#call('HeapProfiler.collectGarbage');
    const expression = 'JSON.stringify(process.memoryUsage())';
    const { result } = (await this.#call('Runtime.evaluate', { expression })) as { result: { value: string } };
    const { heapUsed, arrayBuffers } = JSON.parse(result.value) as NodeJS.MemoryUsage;
    return heapUsed + arrayBuffers;
  }

  close(): void {
    this.#socket.close();
  }
}
