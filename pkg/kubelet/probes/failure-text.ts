import { errorText } from '../../base/log.ts';

/** The words people know from upstream's kubelet, whose network errors come from Go, and search logs for. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
};

function dialText(host: string, port: number, words: string): string {
  return `dial tcp ${host.includes(':') ? `[${host}]` : host}:${port}: ${words}`;
}

/** Why a connection to `host:port` failed: `dial tcp 10.42.0.7:80: connect: connection refused`. */
export function dialFailure(host: string, port: number, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return dialText(host, port, WORDS[code] ?? errorText(error));
}

/** A connection to `host:port` took longer than the probe may. */
export function dialTimeout(host: string, port: number): string {
  return dialText(host, port, 'i/o timeout');
}

/** Why a GET of `url` failed: `Get "http://10.42.0.7:80/": dial tcp 10.42.0.7:80: connect: connection refused`. */
export function getFailure(url: URL, error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  let cause = errorText(error);
  if (WORDS[code] !== undefined) cause = dialFailure(url.hostname.replace(/^\[|\]$/g, ''), port, error);
  else if (code === 'ECONNRESET') cause = message === 'socket hang up' ? 'EOF' : 'read: connection reset by peer';
  else if (/wrong version number/.test(message)) cause = 'http: server gave HTTP response to HTTPS client';
  return `Get "${url.href}": ${cause}`;
}

/** A GET of `url` took longer than the probe may. */
export function getTimeout(url: URL): string {
  return `Get "${url.href}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`;
}
