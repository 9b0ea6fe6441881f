/** How a remote command ended, as the metav1.Status that the error channel carries since protocol v4. */

export interface CommandStatus {
  metadata?: object;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: { causes?: { reason?: string; message?: string }[] };
  code?: number;
}

export const COMMAND_SUCCEEDED: CommandStatus = { metadata: {}, status: 'Success' };

/** A command that ended with an exit code other than 0; `detail` says so in the runtime's words. */
export function exitedWith(code: number, detail: string): CommandStatus {
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${detail}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

/** A command that could not be run or whose outcome is unknown. */
export function commandFailed(cause: string): CommandStatus {
  const message = `error executing command in container: ${cause}`;
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    details: { causes: [{ message }] },
    code: 500,
  };
}

/** The exit code a status tells: 0 on success, undefined when the command did not run to its end. */
export function exitCodeOf(status: CommandStatus): number | undefined {
  if (status.status === 'Success') return 0;
  const cause = status.details?.causes?.find((candidate) => candidate.reason === 'ExitCode');
  const code = Number(cause?.message);
  return cause !== undefined && Number.isInteger(code) ? code : undefined;
}

/** Reads what a v4 error channel carried. Throws an Error when it is no Status. */
export function parseCommandStatus(text: string): CommandStatus {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`exit status is not JSON: ${text.slice(0, 200)}`, { cause });
  }
  if (typeof value !== 'object' || value === null || !('status' in value)) {
    throw new Error(`exit status is not a Status object: ${text.slice(0, 200)}`);
  }
  if (value.status !== 'Success' && value.status !== 'Failure')
    throw new Error('exit status is neither Success nor Failure');
  return value as CommandStatus;
}

/** The bytes of the error channel: the Status itself since v4, before that the message of a failure alone. */
export function encodeCommandStatus(status: CommandStatus, asJson: boolean): string {
  if (asJson) return JSON.stringify(status);
  return status.status === 'Success' ? '' : (status.message ?? 'command failed');
}
