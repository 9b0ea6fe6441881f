import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pageRewriter, rewriteLink } from './page-rewriter.ts';

const PREFIX = '/api/v1/namespaces/a/services/web/proxy';
const place = { prefix: PREFIX, hosts: ['10.0.0.1:80', 'localhost:8001'] };

async function rewritten(page: string | Buffer, headers: Record<string, string> = {}): Promise<Buffer> {
  const rewriter = await pageRewriter({ 'content-type': 'text/html; charset=utf-8', ...headers }, place);
  assert.ok(rewriter !== undefined);
  // Byte by byte: tags come in pieces.
  return buffer(rewriter(Readable.from([...Buffer.from(page)].map((byte) => Buffer.from([byte])))));
}

test('links to the server itself lead through the proxy, others stay', () => {
  for (const [link, expected] of [
    ['/', `${PREFIX}/`],
    ['/a/b?c=d#e', `${PREFIX}/a/b?c=d#e`],
    ['http://10.0.0.1:80/a', `${PREFIX}/a`],
    ['http://localhost:8001', `${PREFIX}/`],
    ['//localhost:8001/a', `${PREFIX}/a`],
    [`${PREFIX}/a`, `${PREFIX}/a`],
    ['a/b', 'a/b'],
    ['#top', '#top'],
    ['mailto:a@b', 'mailto:a@b'],
    ['https://example.com/a', 'https://example.com/a'],
  ] as const) {
    assert.equal(rewriteLink(link, place), expected, link);
  }
});

test('a page keeps all but its links', async () => {
  const page = `<!DOCTYPE html><p title=x>&nbsp;\u00e4\u2014<A  Title="&mdash;\u2014" HREF='/x?a=1&amp;b="2"' id=k>t</a>
<img src=/i.png><script src="/s.js">if (a < b) "</x>";</script><textarea><a href="/no"></textarea><form action="b"><br/>`;
  const expected = page
    .replace(`HREF='/x?a=1&amp;b="2"'`, `href="${PREFIX}/x?a=1&#38;b=&#34;2&#34;"`)
    .replace('src=/i.png', `src="${PREFIX}/i.png"`)
    .replace('src="/s.js"', `src="${PREFIX}/s.js"`);
  assert.equal((await rewritten(page)).toString('utf8'), expected);
});

test('pages in another character set keep their bytes; packed ones are unpacked', async () => {
  const latin = Buffer.concat([Buffer.from('<a href="/x">'), Buffer.from([0xe4, 0xff, 0x80])]);
  const expected = Buffer.concat([Buffer.from(`<a href="${PREFIX}/x">`), Buffer.from([0xe4, 0xff, 0x80])]);
  assert.deepEqual(await rewritten(latin), expected);
  assert.deepEqual(await rewritten(gzipSync(latin), { 'content-encoding': 'gzip' }), expected);
});

test('what is no page, or cannot be read, is left alone', async () => {
  for (const headers of [
    { 'content-type': 'application/json' },
    {},
    { 'content-type': 'text/html', 'content-encoding': 'br' },
  ]) {
    assert.equal(await pageRewriter(headers, place), undefined);
  }
});
