import { exec } from './exec.ts';

/**
 * Tells systemd about a change of state (`READY=1`), when it waits for one (Type=notify). systemd's own tool sends it:
 * Node.js has no datagram unix sockets. The unit allows it with NotifyAccess=all.
 */
export async function notifySystemd(state: string): Promise<void> {
  if (process.env['NOTIFY_SOCKET'] === undefined) return;
  await exec(['systemd-notify', `--pid=${process.pid}`, state]);
}
