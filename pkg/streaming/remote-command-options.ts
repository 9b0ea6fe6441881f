/** Which streams a remote command has, and how the API and the kubelet's own URL spell that in a query. */

export interface RemoteCommandOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

const TRUE = new Set(['1', 't', 'T', 'true', 'True', 'TRUE']);

function flag(query: URLSearchParams, name: string): boolean {
  return TRUE.has(query.get(name) ?? '');
}

/** A terminal has one output stream: standard error is dropped, as upstream does. */
function withoutTtyStderr(options: RemoteCommandOptions): RemoteCommandOptions {
  return options.tty ? { ...options, stderr: false } : options;
}

/** Reads PodExecOptions/PodAttachOptions from the query of `pods/{name}/exec` or `/attach`. */
export function optionsFromPodQuery(query: URLSearchParams): RemoteCommandOptions {
  return withoutTtyStderr({
    stdin: flag(query, 'stdin'),
    stdout: flag(query, 'stdout'),
    stderr: flag(query, 'stderr'),
    tty: flag(query, 'tty'),
  });
}

/** Reads the query of the kubelet's `/exec/{namespace}/{pod}/{container}` or `/attach/…`. */
export function optionsFromKubeletQuery(query: URLSearchParams): RemoteCommandOptions {
  return withoutTtyStderr({
    stdin: flag(query, 'input'),
    stdout: flag(query, 'output'),
    stderr: flag(query, 'error'),
    tty: flag(query, 'tty'),
  });
}

/** The kubelet's query for `options`, and for exec the command. */
export function kubeletQuery(options: RemoteCommandOptions, command: readonly string[] = []): URLSearchParams {
  const query = new URLSearchParams();
  if (options.stdin) query.set('input', '1');
  if (options.stdout) query.set('output', '1');
  if (options.stderr) query.set('error', '1');
  if (options.tty) query.set('tty', '1');
  for (const argument of command) query.append('command', argument);
  return query;
}
