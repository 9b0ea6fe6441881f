/** Patterns of schemas, which are written for Go's regexp package. */

const CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  space: '\\s',
  punct: '!-\\/:-@\\[-`{-~',
  xdigit: '0-9A-Fa-f',
  word: '\\w',
};

const compiled = new Map<string, RegExp | undefined>();
const MOST = 1000;

/** The pattern as JavaScript has it; undefined when it cannot be expressed (it is then held to match everything). */
export function goPattern(pattern: string): RegExp | undefined {
  if (compiled.has(pattern)) return compiled.get(pattern);
  if (compiled.size > MOST) compiled.clear();
  const made = compile(pattern);
  compiled.set(pattern, made);
  return made;
}

/** What Go's regexp package says is wrong with a pattern; undefined when it takes it. */
export function goPatternError(pattern: string): string | undefined {
  const lookaround = /(?<!\\)(?:\\\\)*(\(\?(?:<?[=!]|>))/.exec(pattern);
  if (lookaround !== null) return `invalid or unsupported Perl syntax: \`${lookaround[1]}\``;
  const reference = /(?<!\\)(?:\\\\)*(\\[1-9])/.exec(pattern);
  if (reference !== null) return `invalid escape sequence: \`${reference[1]}\``;
  if (goPattern(pattern) !== undefined) return undefined;
  const unclosed = /\[[^\]]*$/.exec(pattern);
  if (unclosed !== null) return `missing closing ]: \`${unclosed[0]}\``;
  if (/^[*+?]/.test(pattern)) return `missing argument to repetition operator: \`${pattern[0]}\``;
  if (/\\$/.test(pattern)) return 'trailing backslash at end of expression: ``';
  const [opened, closed] = [/(?<!\\)\(/g, /(?<!\\)\)/g].map((each) => pattern.match(each)?.length ?? 0) as [
    number,
    number,
  ];
  if (opened !== closed) return `${opened > closed ? 'missing closing' : 'unexpected'} ): \`${pattern}\``;
  return `invalid syntax: \`${pattern}\``;
}

function compile(pattern: string): RegExp | undefined {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const source = pattern
    .slice(flags?.[0].length ?? 0)
    .replace(/\(\?P</g, '(?<')
    .replace(/\\A/g, '^')
    .replace(/\\z/g, '$')
    .replace(/\[:(\w+):\]/g, (whole, name: string) => CLASSES[name] ?? whole);
  for (const mode of ['u', '']) {
    try {
      return new RegExp(source, (flags?.[1] ?? '') + mode);
    } catch {
      // Escapes that Go allows and the strict mode does not: the lenient one may take them.
    }
  }
  return undefined;
}
