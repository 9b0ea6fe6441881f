import { goQuote } from '../../apimachinery/go-quote.ts';

export type Probe = 'livez' | 'readyz' | 'healthz';

/** A named check; resolves when all is well and rejects with what is wrong. */
export interface HealthCheck {
  readonly name: string;
  /** Readiness may fail while the process is alive: `/healthz` looks at what `/livez` does. */
  readonly probes: readonly Probe[];
  run(): Promise<void> | void;
}

export interface HealthOutcome {
  readonly healthy: boolean;
  readonly text: string;
}

export const ALL_PROBES: readonly Probe[] = ['livez', 'readyz', 'healthz'];

/**
 * `/livez`, `/readyz` and `/healthz` with upstream's names and texts; checks may be looked at alone and excluded. Why a
 * check failed is told to those who ask for it alone: the others need no rights.
 */
export class HealthChecks {
  readonly #checks: readonly HealthCheck[];

  constructor(checks: readonly HealthCheck[]) {
    this.#checks = [
      { name: 'ping', probes: ALL_PROBES, run: () => {} },
      { name: 'log', probes: ALL_PROBES, run: () => {} },
      ...checks,
    ];
  }

  /** The paths of a probe and of each of its checks. */
  paths(): string[] {
    return ALL_PROBES.flatMap((probe) => [`/${probe}`, ...this.#of(probe).map(({ name }) => `/${probe}/${name}`)]);
  }

  #of(probe: string): HealthCheck[] {
    return this.#checks.filter((check) => check.probes.some((name) => name === probe));
  }

  /** `only`: the name of the one check to run. Undefined when there is no check of that name. */
  async run(probe: string, only: string, query: URLSearchParams): Promise<HealthOutcome | undefined> {
    const checks = this.#of(probe);
    if (only !== '') {
      const check = checks.find((candidate) => candidate.name === only);
      if (check === undefined) return undefined;
      const failure = await failureOf(check);
      return failure === undefined
        ? { healthy: true, text: 'ok' }
        : { healthy: false, text: `internal server error: ${failure}\n` };
    }
    const excluded = new Set(query.getAll('exclude'));
    const lines: string[] = [];
    let healthy = true;
    for (const check of checks) {
      if (excluded.delete(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        continue;
      }
      const isWell = (await failureOf(check)) === undefined;
      healthy &&= isWell;
      lines.push(isWell ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`);
    }
    if (excluded.size > 0) {
      const names = [...excluded].map(goQuote).join(',');
      lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
    }
    if (healthy && !query.has('verbose')) return { healthy, text: 'ok' };
    return { healthy, text: `${lines.join('\n')}\n${probe} check ${healthy ? 'passed' : 'failed'}\n` };
  }
}

async function failureOf(check: HealthCheck): Promise<string | undefined> {
  try {
    await check.run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
