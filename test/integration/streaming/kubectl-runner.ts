import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ensureKubectl, systemKubectl } from '../../../packaging/dev/lib/kubectl.ts';

/** What a run of kubectl left. */
export interface Outcome {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/** One kubectl with one of the two transports. */
export interface KubectlRunner {
  readonly name: string;
  /** The Upgrade header of the transport it is told to use. */
  readonly transport: 'websocket' | 'SPDY/3.1';
  start(...args: string[]): ChildProcessWithoutNullStreams;
  run(args: string[], input?: Buffer): Promise<Outcome>;
  /** Runs it on a terminal of 30 rows and 100 columns that grows to 40 and 120 once `grows` is printed; all it printed. */
  runOnTerminal(args: string, grows: RegExp): Promise<string>;
  /** Starts forwarding to `target` in the Pod; resolves with the local port. */
  forward(port: number): Promise<{ child: ChildProcessWithoutNullStreams; port: number; errors: () => string }>;
}

/** The system's kubectl and the newest, each over websocket and over SPDY. */
export async function kubectlRunners(kubeconfig: () => string): Promise<KubectlRunner[]> {
  const found = [await systemKubectl(), await ensureKubectl()].filter((kubectl) => kubectl !== undefined);
  return found.flatMap(({ program, version }) =>
    (['websocket', 'SPDY/3.1'] as const).map((transport) => {
      const websockets = String(transport === 'websocket');
      const env = {
        ...process.env,
        KUBECTL_REMOTE_COMMAND_WEBSOCKETS: websockets,
        KUBECTL_PORT_FORWARD_WEBSOCKETS: websockets,
      };
      return runner(`kubectl ${version} over ${transport}`, transport, program, kubeconfig, env);
    }),
  );
}

function runner(
  name: string,
  transport: 'websocket' | 'SPDY/3.1',
  program: string,
  kubeconfig: () => string,
  env: NodeJS.ProcessEnv,
): KubectlRunner {
  const start = (...args: string[]): ChildProcessWithoutNullStreams =>
    spawn(program, ['--kubeconfig', kubeconfig(), ...args], { env });
  return {
    name,
    transport,
    start,
    async run(args, input) {
      const child = start(...args);
      const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
      child.stdin.on('error', () => {});
      child.stdin.end(input);
      const [stdout, stderr, code] = await Promise.all([buffer(child.stdout), buffer(child.stderr), exited]);
      return { code, stdout, stderr: stderr.toString() };
    },
    async runOnTerminal(args, grows) {
      const folder = await mkdtemp(join(tmpdir(), 'kedge-terminal-'));
      const mark = join(folder, 'grows');
      const script = [
        'TTY=$(tty)',
        'stty rows 30 cols 100',
        `(until [ -e ${mark} ] || ! [ -d ${folder} ]; do sleep 0.05; done; stty rows 40 cols 120 <$TTY) &`,
        `${program} --kubeconfig ${kubeconfig()} ${args}`,
      ].join('\n');
      const child = spawn('script', ['-qec', script, '/dev/null'], { env: { ...env, SHELL: '/bin/sh' } });
      let output = '';
      for await (const chunk of child.stdout.setEncoding('utf8')) {
        output += chunk;
        if (grows.test(output)) await writeFile(mark, '');
      }
      await rm(folder, { recursive: true });
      return output;
    },
    async forward(target) {
      const child = start('port-forward', 'pod/web', `:${target}`);
      let errors = '';
      child.stderr.on('data', (chunk) => {
        errors += chunk;
      });
      const port = await new Promise<number>((resolve, reject) => {
        let said = '';
        child.stdout.on('data', (chunk) => {
          said += chunk;
          const match = /127\.0\.0\.1:(\d+)/.exec(said);
          if (match !== null) resolve(Number(match[1]));
        });
        child.once('close', () => reject(new Error(`port-forward ended: ${said}${errors}`)));
      });
      return { child, port, errors: () => errors };
    },
  };
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `holds` does, 25 s at most. */
export async function until(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const limit = Date.now() + 25_000;
  while (!(await holds())) {
    if (Date.now() > limit) throw new Error(`still not so after 25 s: ${what()}`);
    await wait(50);
  }
}
