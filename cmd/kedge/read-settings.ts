import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { OperatorError } from '../../pkg/base/component.ts';
import type { Flag } from './flags.ts';
import type { Settings } from './settings.ts';
import * as value from './values.ts';

/** How the flags that every command has are read. */
export const PLACE_SCHEMA = {
  config: z.string(),
  debug: value.flagBoolean,
  'data-dir': value.absolutePath,
};

/** Reads each setting by itself. Throws OperatorError naming the first bad one and who gave it. */
export function readSettings<S extends z.ZodType>(schema: S, flags: readonly Flag[], settings: Settings): z.output<S> {
  const lists = new Set(flags.filter(({ kind }) => kind === 'list').map(({ name }) => name));
  const raw = Object.fromEntries(
    [...settings].map(([name, setting]) => [name, lists.has(name) ? setting.values : setting.values.at(-1)]),
  );
  const result = schema.safeParse(raw);
  if (!result.success) throw firstProblem(result.error, settings);
  return result.data;
}

/** Who gave a setting, for messages. */
export function originOf(settings: Settings, name: string): string {
  return settings.get(name)?.origin ?? `--${name}`;
}

function firstProblem(error: z.ZodError, settings: Settings): OperatorError {
  const issue = error.issues[0];
  const [name = '', index] = issue?.path ?? [];
  const setting = settings.get(String(name));
  const shown = typeof index === 'number' ? setting?.values[index] : setting?.values.at(-1);
  // A secret does not belong on the terminal or in the journal.
  const text = name === 'token' || name === 'agent-token' ? ' the value' : ` ${JSON.stringify(shown ?? '')}`;
  return new OperatorError(`${setting?.origin ?? String(name)}:${text} ${issue?.message ?? 'is not valid'}`);
}

/** A token that was given as a value or as a file. Throws OperatorError when it was given as both. */
export function tokenOf<F extends 'token' | 'agent-token'>(
  values: Readonly<Partial<Record<F | `${F}-file`, string | undefined>>>,
  settings: Settings,
  flag: F,
): string | undefined {
  const fileFlag = `${flag}-file` as const;
  const given = values[flag];
  const file = values[fileFlag];
  if (file === undefined) return given;
  const origin = originOf(settings, fileFlag);
  if (given !== undefined) {
    throw new OperatorError(`${origin} and ${originOf(settings, flag)} are both set; give one of them`);
  }
  const result = value.joinToken.safeParse(readFileSync(file, 'utf8').trim());
  if (!result.success) throw new OperatorError(`${origin}: what ${file} holds ${result.error.issues[0]?.message}`);
  return result.data;
}
