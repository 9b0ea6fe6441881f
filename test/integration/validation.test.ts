import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseYaml } from '../../pkg/apimachinery/yaml.ts';
import { ApiServerProcess } from './api-server.ts';

/** `POST deployments: {…}`, and what is wrong with it in the order it is told; without, the request is fine. */
interface Case {
  readonly refused?: readonly string[];
  readonly [request: string]: unknown;
}

/** Requests of a group, in the order they are sent, by the path their resources are below. */
type Table = Readonly<Record<string, readonly Case[]>>;

interface Status {
  readonly message: string;
  readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message: string }[] };
}

const FOLDER = join(import.meta.dirname, 'validation');
const CONTENT_TYPES: Readonly<Record<string, string>> = { PATCH: 'application/merge-patch+json' };

/** The tables write `<257 x>` for a long text. */
function readTable(file: string): Table {
  const text = readFileSync(join(FOLDER, file), 'utf8');
  return parseYaml(text.replace(/<(\d+) (.)>/g, (_, count, letter) => letter.repeat(Number(count)))).value as Table;
}

const maskUids = (text: string): string => text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<uid>');

describe("what is wrong with objects, in upstream's words and order", () => {
  let server: ApiServerProcess;
  before(async () => {
    server = await ApiServerProcess.start();
  });
  after(() => server?.stop());

  async function send(base: string, request: string, object: unknown): Promise<string[]> {
    const [method = '', path = ''] = request.split(' ');
    const headers = { 'content-type': CONTENT_TYPES[method] ?? 'application/json' };
    const { status, text } = await server.send({
      method,
      path: `${base}/${path}`,
      headers,
      ...(object === null ? {} : { body: JSON.stringify(object) }),
    });
    if (status < 300) return [];
    const { message, details } = JSON.parse(text) as Status;
    const causes = details?.causes ?? [{ message }];
    return causes.map(({ field, message: cause }) => maskUids(field === undefined ? cause : `${field}: ${cause}`));
  }

  for (const file of readdirSync(FOLDER).sort()) {
    test(file.replace('.yaml', ''), async () => {
      for (const [base, cases] of Object.entries(readTable(file))) {
        for (const { refused = [], ...requests } of cases) {
          for (const [request, object] of Object.entries(requests)) {
            assert.deepEqual(await send(base, request, object), refused, `${request} ${JSON.stringify(object)}`);
          }
        }
      }
    });
  }
});
