import type { Random } from './random.ts';
import { mutateText, strangeText } from './texts.ts';

const SELECTORS = [
  'app=fuzz',
  'app in (a,b),!c',
  'app notin (x),b!=c',
  'a',
  '!a',
  'metadata.name=a',
  'status.phase!=Running',
  'x>1',
];

const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  limit: ['1', '2', '0', '-1', '500'],
  continue: [
    'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0',
    'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiLi4vLi4ifQ',
  ],
  resourceVersion: ['0', '1', '-1', '99999999', 'abc'],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'Other'],
  labelSelector: SELECTORS,
  fieldSelector: SELECTORS,
  watch: ['1', 'true', 'false', ''],
  allowWatchBookmarks: ['true'],
  sendInitialEvents: ['true', 'false'],
  timeoutSeconds: ['1', '0', '-5'],
  timeout: ['1s', '30s', '0s', '-1s', '34s', 'x'],
  dryRun: ['All', 'None'],
  fieldManager: ['fuzz', 'other'],
  fieldValidation: ['Strict', 'Warn', 'Ignore', 'Maybe'],
  force: ['true', 'false'],
  pretty: ['true', '1', 'false'],
  propagationPolicy: ['Orphan', 'Foreground', 'Background', 'x'],
  gracePeriodSeconds: ['0', '30', '-1'],
  orphanDependents: ['true'],
  includeObject: ['None', 'Object', 'Metadata', 'x'],
  exclude: ['ping', 'x'],
  verbose: [''],
  follow: ['true'],
  tailLines: ['1', '-1'],
  container: ['main'],
  command: ['sh'],
  stdin: ['true'],
  ports: ['80', '0', 'x'],
};

/** Some parameters, with values that fit, nearly fit, or do not at all. */
export function queryText(random: Random, always: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries(always);
  for (
    let count = random.weighted([
      [4, 0],
      [4, 1],
      [3, 2],
      [1, 6],
    ]);
    count > 0;
    count--
  ) {
    const name = random.chance(0.05) ? strangeText(random) : random.pick(Object.keys(PARAMETERS));
    const fitting = random.pick((Object.hasOwn(PARAMETERS, name) && PARAMETERS[name]) || ['']);
    pairs.push([
      name,
      random.weighted<() => string>([
        [6, () => fitting],
        [2, () => mutateText(random, fitting)],
        [1, () => strangeText(random)],
      ])(),
    ]);
  }
  if (pairs.length === 0) return '';
  const text = pairs.map(([name, value]) => `${escaped(random, name)}=${escaped(random, value)}`).join('&');
  return `?${random.chance(0.03) ? requestText(mutateText(random, text)) : text}`;
}

/** Escaped as it should be, or only as far as an HTTP request can carry it. */
function escaped(random: Random, text: string): string {
  if (random.chance(0.1)) return requestText(text);
  return encodeURIComponent(text.toWellFormed());
}

/** What of a text may stand in the first line of an HTTP request. */
export const requestText = (text: string): string =>
  text.replace(/[^!-~]/g, (character) => `%${(character.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}`);
