import type { Clock } from '../../base/clock.ts';
import { Counter } from '../../base/metrics.ts';
import { metricText } from '../../base/metrics-text.ts';
import type { AuditLog } from './log-file.ts';
import { type AuditPolicy, evaluate } from './policy.ts';
import { type AuditedRequest, AuditRecord } from './record.ts';

/** Decides by the policy which requests leave a trace, and writes it. */
export class Auditor {
  readonly #policy: AuditPolicy;
  readonly #log: Pick<AuditLog, 'write' | 'dropped'>;
  readonly #clock: Clock;
  #events = 0;
  readonly #levels = new Counter(
    'apiserver_audit_level_total',
    '[ALPHA] Counter of policy levels for audit events (1 per request).',
  );

  constructor(policy: AuditPolicy, log: Pick<AuditLog, 'write' | 'dropped'>, clock: Clock) {
    this.#policy = policy;
    this.#log = log;
    this.#clock = clock;
  }

  /** The record of a request that begins; undefined when the policy wants nothing of it. */
  begin(request: AuditedRequest): AuditRecord | undefined {
    const decision = evaluate(this.#policy, request);
    this.#levels.inc({ level: decision.level });
    if (decision.level === 'None') return undefined;
    const emit = (event: string): void => {
      this.#events++;
      this.#log.write(event);
    };
    return new AuditRecord(request, { decision, clock: this.#clock, emit });
  }

  /** Its part of `/metrics`. */
  text(): string {
    return [
      eventsText(this.#events),
      this.#levels.text(),
      metricText(
        'apiserver_audit_error_total',
        'counter',
        '[ALPHA] Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.',
        [{ labels: { plugin: 'log' }, value: this.#log.dropped }],
      ),
    ].join('');
  }
}

const eventsText = (events: number): string =>
  metricText(
    'apiserver_audit_event_total',
    'counter',
    '[ALPHA] Counter of audit events generated and sent to the audit backend.',
    [{ value: events }],
  );

/** What `/metrics` tells where nothing is taken down. */
export const noAuditText = (): string => eventsText(0);
