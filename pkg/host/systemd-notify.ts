import { exec } from './exec.ts';

/**
 * Tells systemd that kedge is ready (sd_notify's READY=1); does nothing when kedge was not started by a unit of type
 * notify. Node.js has no datagram sockets of the unix kind, so systemd's own program says it, which the unit allows by
 * NotifyAccess=all. Rejects with ExecError when it cannot be told: systemd would then wait for ever.
 */
export async function notifyReady(env: NodeJS.ProcessEnv = process.env): Promise<void> {
  if (env['NOTIFY_SOCKET'] === undefined) return;
  await exec(['systemd-notify', `--pid=${process.pid}`, '--ready'], { env });
}
