import { readFileSync } from 'node:fs';
import { parseDuration } from '../../pkg/apimachinery/duration.ts';
import { parseAuditPolicy } from '../../pkg/apiserver/audit/policy.ts';
import type { ApiServerSettings } from '../../pkg/apiserver/settings.ts';
import { OperatorError } from '../../pkg/base/component.ts';

const MIB = 1024 * 1024;
/** A day: longer than anybody waits, and what timers can count. */
const MOST_MS = 86_400_000;

/**
 * The flags of upstream's kube-apiserver that kedge has, as k3s passes them on. Defaults are upstream's, but that an
 * audit log is kept in ten files: upstream keeps all there ever were.
 */
const DEFAULTS = {
  'audit-policy-file': '',
  'audit-log-path': '',
  'audit-log-maxage': '0',
  'audit-log-maxbackup': '10',
  'audit-log-maxsize': '100',
  'max-requests-inflight': '400',
  'max-mutating-requests-inflight': '200',
  'request-timeout': '1m0s',
  'shutdown-delay-duration': '0s',
} as const;

type Name = keyof typeof DEFAULTS;

/** Reads the values of `--kube-apiserver-arg`; `origin` says who gave them. Throws OperatorError naming the first bad one. */
export function apiServerSettings(given: readonly string[], origin: string): ApiServerSettings {
  const values: Record<Name, string> = { ...DEFAULTS };
  for (const text of given) {
    const [name = '', ...rest] = text.replace(/^--/, '').split('=');
    if (!Object.hasOwn(DEFAULTS, name) || rest.length === 0) {
      throw new OperatorError(
        `${origin}: ${JSON.stringify(text)} is not supported; give name=value with one of ${Object.keys(DEFAULTS).join(', ')}`,
      );
    }
    values[name as Name] = rest.join('=');
  }
  const number = (name: Name, most = Number.MAX_SAFE_INTEGER): number => {
    const text = values[name];
    if (/^\d+$/.test(text) && Number(text) <= most) return Number(text);
    throw new OperatorError(`${origin}: ${name}=${text} is no number; give a whole one, 0 or more`);
  };
  const duration = (name: Name, least: number): number => {
    const ms = parseDuration(values[name]);
    if (ms !== undefined && ms >= least && ms <= MOST_MS) return ms;
    throw new OperatorError(`${origin}: ${name}=${values[name]} makes no sense; give a duration like 1m30s`);
  };
  const serving = {
    limits: { reading: number('max-requests-inflight'), writing: number('max-mutating-requests-inflight') },
    requestTimeoutMs: duration('request-timeout', 1),
    shutdownDelayMs: duration('shutdown-delay-duration', 0),
  };
  const maxSize = number('audit-log-maxsize', 1_000_000);
  const log = {
    path: values['audit-log-path'],
    maxBytes: (maxSize === 0 ? Number(DEFAULTS['audit-log-maxsize']) : maxSize) * MIB,
    maxBackups: number('audit-log-maxbackup'),
    maxAgeDays: number('audit-log-maxage'),
  };
  const policyFile = values['audit-policy-file'];
  if ((policyFile === '') !== (log.path === '')) {
    const missing = policyFile === '' ? 'audit-policy-file' : 'audit-log-path';
    throw new OperatorError(
      `${origin}: an audit log needs both audit-policy-file and audit-log-path; ${missing} is missing`,
    );
  }
  if (policyFile === '') return { audit: undefined, ...serving };
  if (log.path !== '-' && !log.path.startsWith('/')) {
    throw new OperatorError(`${origin}: audit-log-path=${log.path} is not an absolute path; begin it with /`);
  }
  return { audit: { policy: auditPolicy(policyFile, origin), log }, ...serving };
}

function auditPolicy(file: string, origin: string): ReturnType<typeof parseAuditPolicy> {
  try {
    return parseAuditPolicy(readFileSync(file, 'utf8'));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new OperatorError(`${origin}: audit-policy-file=${file}: ${text}; correct the policy`);
  }
}
