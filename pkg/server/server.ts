import { OperatorError } from '../base/component.ts';
import type { ServerConfig } from './config.ts';

/** Runs the server until it is asked to end. Throws OperatorError when it cannot start. */
export async function runServer(config: ServerConfig): Promise<void> {
  throw new OperatorError(`this build has no server to start in ${config.dataDir} yet`);
}
