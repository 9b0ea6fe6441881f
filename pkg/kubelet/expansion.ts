/**
 * Replaces `$(NAME)` in `text` by `lookup(NAME)`; `$$` is an escaped `$`, and a name that `lookup` does not know stays
 * as it is. The rules are those of upstream's third_party/forked/golang/expansion.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  let result = '';
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char !== '$' || at + 1 === text.length) {
      result += char;
      continue;
    }
    const next = text.charAt(at + 1);
    if (next === '$') {
      result += '$';
      at += 1;
      continue;
    }
    const end = next === '(' ? text.indexOf(')', at + 2) : -1;
    if (next !== '(') {
      result += `$${next}`;
      at += 1;
    } else if (end === -1) {
      result += '$(';
      at += 1;
    } else {
      const name = text.slice(at + 2, end);
      result += lookup(name) ?? `$(${name})`;
      at = end;
    }
  }
  return result;
}
