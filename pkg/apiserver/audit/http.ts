import { randomUUID } from 'node:crypto';
import { isIP } from 'node:net';
import type { UserInfo } from '../../registry/user-info.ts';
import type { Request } from '../http/exchange.ts';
import type { RequestInfo } from '../request-info.ts';
import type { AuditedRequest } from './record.ts';

const MOST_ID_LENGTH = 64;

/** The id of a request: the one its client gave it, or a new one. */
export function auditID({ headers }: Request): string {
  const given = String(headers['audit-id'] ?? '').slice(0, MOST_ID_LENGTH);
  return given === '' ? randomUUID() : given;
}

/** What events tell of an HTTP request. */
export function auditedRequest(
  request: Request,
  info: RequestInfo,
  user: UserInfo | undefined,
  id: string,
): AuditedRequest {
  return {
    id,
    uri: request.url ?? '/',
    info,
    user,
    sourceIPs: sourceIPs(request),
    userAgent: String(request.headers['user-agent'] ?? ''),
  };
}

/** Where a request came from, as proxies before this server tell and, last, as its connection does. */
function sourceIPs({ headers, socket }: Request): string[] {
  const forwarded = String(headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => isIP(part) !== 0);
  const real = String(headers['x-real-ip'] ?? '').trim();
  const found = isIP(real) !== 0 && !forwarded.includes(real) ? [...forwarded, real] : forwarded;
  const remote = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  return remote === '' || found.at(-1) === remote ? found : [...found, remote];
}
