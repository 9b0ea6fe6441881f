/** Which streams a remote command has, and how the kubelet's URL spells that in its query. */

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

/** Reads the query of the kubelet's `/exec/{namespace}/{pod}/{container}` or `/attach/…`. */
export function optionsFromKubeletQuery(query: URLSearchParams): RemoteCommandOptions {
  const tty = flag(query, 'tty');
  return {
    stdin: flag(query, 'input'),
    stdout: flag(query, 'output'),
    // A terminal has one output stream: standard error is dropped, as upstream does.
    stderr: flag(query, 'error') && !tty,
    tty,
  };
}
