import { removeNode } from '../../pkg/agent/remove-node.ts';
import { OperatorError } from '../../pkg/base/component.ts';
import { createLogger } from '../../pkg/base/log.ts';
import { DEFAULT_DATA_DIR } from '../../pkg/base/paths.ts';
import { executablePath } from '../build/executable.ts';
import { isArch } from '../build/platform.ts';
import { findDaemon, stopDaemon } from './lib/daemon.ts';
import { runMain, say, step } from './lib/report.ts';

/**
 * `npm run down`: stops the cluster and removes what runs: processes, mounts, network devices and namespaces, firewall
 * rules. What the cluster knows stays in the data directory, so the next `npm run up` goes on with it.
 */
await runMain(async () => {
  if (process.getuid?.() !== 0) throw new OperatorError('stopping containers needs root: run `npm run down` as root');
  if (!isArch(process.arch)) throw new OperatorError(`kedge is not built for ${process.arch}`);
  const daemon = findDaemon(executablePath(process.arch));
  if (daemon === undefined) say('no kedge server started by `npm run up` is running');
  else await step(`stopping kedge server (pid ${daemon.pid})`, () => stopDaemon(daemon));
  const log = createLogger({ level: 'warn', write: (line) => process.stderr.write(line), now: () => new Date() });
  await step('removing Pods, mounts, network and firewall rules', () => removeNode(DEFAULT_DATA_DIR, log));
  say(`nothing of kedge runs any more; its data is in ${DEFAULT_DATA_DIR} (delete it to start afresh)`);
  return 0;
});
