/** A named check; resolves when all is well and rejects with what is wrong. */
export interface HealthCheck {
  readonly name: string;
  /** Probes it counts for: readiness may fail while the process is alive. */
  readonly probes: readonly ('livez' | 'readyz')[];
  run(): Promise<void>;
}

export interface HealthOutcome {
  readonly healthy: boolean;
  readonly text: string;
}

/** `/livez`, `/readyz` and `/healthz` with upstream's texts; checks may be looked at alone and excluded. */
export class HealthChecks {
  readonly #checks: readonly HealthCheck[];

  constructor(checks: readonly HealthCheck[]) {
    this.#checks = [{ name: 'ping', probes: ['livez', 'readyz'], run: async () => {} }, ...checks];
  }

  /** Undefined when there is no check of that name. */
  async run(probe: string, only: string | undefined, query: URLSearchParams): Promise<HealthOutcome | undefined> {
    const checks = this.#checks.filter((check) => probe === 'healthz' || check.probes.some((name) => name === probe));
    if (only !== undefined) {
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
      if (excluded.has(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        continue;
      }
      const failure = await failureOf(check);
      if (failure !== undefined) healthy = false;
      lines.push(failure === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: ${failure}`);
    }
    const summary = `${probe} check ${healthy ? 'passed' : 'failed'}\n`;
    if (healthy && !query.has('verbose')) return { healthy, text: 'ok' };
    return { healthy, text: `${lines.join('\n')}\n${summary}` };
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
