/** Links in what comes through a proxy, which have to lead back through it (upstream: apimachinery's proxy.Transport). */
import type { IncomingHttpHeaders } from 'node:http';
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { createGunzip, createInflate } from 'node:zlib';
import type { RewritingStream } from 'parse5-html-rewriting-stream';

/** Where the proxied server is reached from outside, and as whom it knows itself. */
export interface ProxyPlace {
  /** Path of the API below which the server's own paths are, without a slash at the end. */
  readonly prefix: string;
  /** `host:port` of the server, and the Host header of the request: links to these are its own. */
  readonly hosts: readonly string[];
}

/** The attributes that hold a URL, by element. */
const LINKS: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** The types tell of the places of attributes only where the tree is built. */
interface TagLocation {
  readonly startOffset: number;
  readonly attrs: Readonly<Record<string, { readonly startOffset: number; readonly endOffset: number }>>;
}

type StartTag = Parameters<RewritingStream['emitStartTag']>[0];

const ABSOLUTE = /^(?:[a-z][a-z0-9+.-]*:)?\/\/([^/?#]*)(.*)$/is;

/** The link a client of the proxy has to follow. Links to other servers and relative ones stay as they are. */
export function rewriteLink(link: string, { prefix, hosts }: ProxyPlace): string {
  const absolute = ABSOLUTE.exec(link);
  if (absolute !== null && !hosts.includes(absolute[1] ?? '')) return link;
  const path = absolute === null ? link : absolute[2] || '/';
  if (!path.startsWith('/') || path.startsWith(prefix)) return absolute === null ? link : path;
  return `${prefix}${path}`;
}

/**
 * What the body of an answer has to go through to be one whose links lead back through the proxy; undefined for what is
 * no page, or is packed in a way that cannot be read here. The outcome is not packed.
 */
export async function pageRewriter(
  headers: IncomingHttpHeaders,
  place: ProxyPlace,
): Promise<((body: Readable) => Readable) | undefined> {
  if (!/^text\/html(?:;|$)/i.test(headers['content-type'] ?? '')) return undefined;
  const encoding = headers['content-encoding'] ?? '';
  if (!['', 'identity', 'gzip', 'deflate'].includes(encoding)) return undefined;
  // Loaded with the first page: most servers never see one.
  const parser = await import('parse5-html-rewriting-stream');
  return (body) => {
    const pages = new parser.RewritingStream();
    pages.on('startTag', (tag, raw) => pages.emitRaw(rewriteTag(tag, raw, place)));
    const plain = encoding === 'gzip' ? createGunzip() : encoding === 'deflate' ? createInflate() : new PassThrough();
    // One character for each byte: whatever the page's character set, what is not changed comes out as it went in.
    plain.setEncoding('latin1');
    const out = new PassThrough();
    pipeline(body, plain, pages, toBytes, out, () => {});
    return out;
  };
}

async function* toBytes(texts: AsyncIterable<string>): AsyncIterable<Buffer> {
  for await (const text of texts) yield Buffer.from(text, 'latin1');
}

/** The tag with its links changed, and all else of it as it was. */
function rewriteTag({ tagName, attrs, sourceCodeLocation }: StartTag, raw: string, place: ProxyPlace): string {
  const links = LINKS[tagName];
  if (links === undefined || sourceCodeLocation == null || !('attrs' in sourceCodeLocation)) return raw;
  const { startOffset, attrs: places } = sourceCodeLocation as TagLocation;
  let written = raw;
  for (const { name, value } of attrs.toReversed()) {
    const at = places[name];
    const changed = links.includes(name) ? rewriteLink(value, place) : value;
    if (at === undefined || changed === value) continue;
    const after = written.slice(at.endOffset - startOffset);
    written = `${written.slice(0, at.startOffset - startOffset)}${name}="${escapeValue(changed)}"${after}`;
  }
  return written;
}

const escapeValue = (text: string): string => text.replace(/["&<>]|[^\0-\xff]/gu, (c) => `&#${c.codePointAt(0)};`);
