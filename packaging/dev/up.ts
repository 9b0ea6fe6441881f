import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { OperatorError } from '../../pkg/base/component.ts';
import { errorText } from '../../pkg/base/log.ts';
import { DEFAULT_DATA_DIR, DEFAULT_KUBECONFIG } from '../../pkg/base/paths.ts';
import { buildExecutable } from '../build/executable.ts';
import { isArch } from '../build/platform.ts';
import { ensurePackages } from './lib/apt.ts';
import { type Cluster, kubectl, waitUntilReady } from './lib/cluster.ts';
import { findDaemon, LOG_FILE, logLength, logSince, startDaemon, stopDaemon } from './lib/daemon.ts';
import { ensureGenerated } from './lib/generated.ts';
import { placeBusyboxImage } from './lib/hello-image.ts';
import { ensureKubectl, systemKubectl } from './lib/kubectl.ts';
import { ROOT } from './lib/project.ts';
import { runMain, say, step } from './lib/report.ts';

const START_TIMEOUT = 120_000;
const PAGE_TIMEOUT = 60_000;

/** `npm run up`: from a bare checkout to a page served by Pods. A second run changes nothing that is as it should be. */
await runMain(async () => {
  if (process.getuid?.() !== 0) throw new OperatorError('kedge needs root to run containers: run `npm run up` as root');
  if (!isArch(process.arch)) throw new OperatorError(`kedge is not built for ${process.arch}`);
  await ensurePackages('runtime', 'build', 'test');
  const { program } = (await systemKubectl()) ?? (await ensureKubectl());
  ensureGenerated();
  const executable = await buildExecutable(process.arch);
  placeBusyboxImage(DEFAULT_DATA_DIR);
  const cluster: Cluster = { program, kubeconfig: DEFAULT_KUBECONFIG };
  await start(executable, cluster);
  const page = await deployHello(cluster);
  process.stdout.write(`\n    ${page.text.trim()}\n\n${advice(program, page.address)}`);
  return 0;
});

async function start(executable: string, cluster: Cluster): Promise<void> {
  const found = findDaemon(executable);
  if (found?.isOutdated) {
    await step('kedge was built anew: stopping the old one, Pods go on', () => stopDaemon(found));
  }
  const logged = logLength();
  if (found === undefined || found.isOutdated) {
    say(`kedge server started (pid ${startDaemon(executable)}, log ${LOG_FILE})`);
  } else {
    say(`kedge server runs already (pid ${found.pid})`);
  }
  const checkAlive = (): void => {
    if (findDaemon(executable) !== undefined) return;
    const lines = logSince(logged).trim().split('\n').slice(-10);
    throw new OperatorError(`kedge server has ended; the end of ${LOG_FILE}:\n${lines.join('\n')}`);
  };
  await waitUntilReady(cluster, { timeoutMs: START_TIMEOUT, checkAlive, progress: say });
  say('the node is Ready');
}

async function deployHello(cluster: Cluster): Promise<{ text: string; address: string }> {
  await must(cluster, 'apply', '-f', join(ROOT, 'examples', 'hello'));
  await step('waiting for the Pods of examples/hello', () =>
    must(cluster, 'rollout', 'status', 'deployment/hello', `--timeout=${PAGE_TIMEOUT / 1000}s`),
  );
  const address = await must(cluster, 'get', 'service', 'hello', '-o', 'jsonpath={.spec.clusterIP}');
  say(`fetching http://${address}/, the page of Service "hello"`);
  const limit = Date.now() + PAGE_TIMEOUT;
  for (;;) {
    try {
      const response = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(5000) });
      if (response.ok) return { text: await response.text(), address };
      throw new Error(`status ${response.status}`);
    } catch (error) {
      if (Date.now() > limit) throw new OperatorError(`http://${address}/ does not answer: ${errorText(error)}`);
    }
    await delay(500);
  }
}

async function must(cluster: Cluster, ...args: string[]): Promise<string> {
  const result = await kubectl(cluster, args);
  if (result.code !== 0) throw new OperatorError(`kubectl ${args.join(' ')}: ${result.output.trim()}`);
  return result.stdout.trim();
}

function advice(program: string, address: string): string {
  return [
    'Try next:',
    `    export KUBECONFIG=${DEFAULT_KUBECONFIG}`,
    ...(program === 'kubectl' ? [] : [`    alias kubectl=${program}`]),
    '    kubectl get pods -o wide',
    `    curl http://${address}/            # each of the three Pods takes its turn`,
    '    kubectl scale deployment hello --replicas=5',
    '    kubectl logs deployment/hello',
    '    npm run down                       # stops everything again',
    '',
  ].join('\n');
}
