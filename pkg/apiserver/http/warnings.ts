/** `Warning` headers: how texts for people get into a header that has to stay a header. */

/** What upstream's warning filter sends in all before it begins to cut. */
const TOTAL_LENGTH = 4 * 1024;
/** What is left of each warning once it cuts. */
const ITEM_LENGTH = 256;

/**
 * The values of the `Warning` headers, each text once. As upstream's warning filter has it: when all of them together
 * are too long, each is cut short and those that still do not fit are left out.
 */
export function warningHeaders(texts: readonly string[]): string[] {
  const distinct = [...new Set(texts)].filter((text) => text !== '');
  const total = distinct.reduce((sum, text) => sum + text.length, 0);
  if (total <= TOTAL_LENGTH) return distinct.map(warningHeader);
  const kept = new Set<string>();
  let written = 0;
  for (const text of distinct) {
    const short = text.slice(0, ITEM_LENGTH);
    if (written + short.length > TOTAL_LENGTH) break;
    const before = kept.size;
    kept.add(short);
    if (kept.size > before) written += short.length;
  }
  return [...kept].map(warningHeader);
}

/** `299 - "text"`, quotes and backslashes escaped, control characters dropped, the rest as UTF-8 bytes. */
function warningHeader(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a header
  const clean = text.replace(/[\u0000-\u001f\u007f]/g, ' ').replace(/["\\]/g, '\\$&');
  // Node takes a header's characters for bytes and refuses those above 255.
  return `299 - "${Buffer.from(clean, 'utf8').toString('latin1')}"`;
}
