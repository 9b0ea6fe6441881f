/** Structured, levelled log lines in logfmt on stderr: one logger for every component. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `component=name` and `fields` to every line. */
  child(component: string, fields?: LogFields): Logger;
}

export interface LoggerOptions {
  level: LogLevel;
  write: (line: string) => void;
  now: () => Date;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const LONGEST_VALUE = 4096;

/** The one-line text of a caught value: an Error's message with its causes, anything else as a string. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.message || error.name;
  return error.cause === undefined ? own : `${own}: ${errorText(error.cause)}`;
}

function formatValue(value: unknown): string {
  const text =
    value instanceof Error ? errorText(value) : typeof value === 'object' ? JSON.stringify(value) : String(value);
  const cut = text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
  return /^[^\s"=]+$/.test(cut) ? cut : JSON.stringify(cut);
}

/** A logger writing `time=… level=… component=… msg=… key=value` lines; lines below `options.level` are dropped. */
export function createLogger(options: LoggerOptions, prefix = ''): Logger {
  const emit = (level: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (RANK[level] < RANK[options.level]) return;
    let line = `time=${options.now().toISOString()} level=${level}${prefix} msg=${formatValue(message)}`;
    for (const [key, value] of Object.entries(fields ?? {})) {
      if (value !== undefined) line += ` ${key}=${formatValue(value)}`;
    }
    options.write(`${line}\n`);
  };
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
    child(component, fields) {
      let next = `${prefix} component=${formatValue(component)}`;
      for (const [key, value] of Object.entries(fields ?? {})) next += ` ${key}=${formatValue(value)}`;
      return createLogger(options, next);
    },
  };
}

/** Drops every line; for tests that do not look at the log. */
export const silentLogger: Logger = createLogger({ level: 'error', write: () => {}, now: () => new Date(0) });
