import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathsFor } from '../../base/paths.ts';
import { caBundleHash, parseJoinToken } from '../../bootstrap/join-token.ts';
import { JoinTokens, SERVER_BOOTSTRAPPERS } from './join-tokens.ts';

const caBundle = 'the CA';
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-join-tokens-'));
});
after(() => rm(folder, { recursive: true }));

const read = (path: string): Promise<string> => readFile(path, 'utf8').then((text) => text.trim());

function groupsOf(tokens: JoinTokens, bearer: string): readonly string[] | undefined {
  const result = tokens.authenticate(bearer);
  return result !== undefined && 'user' in result ? result.user.groups : undefined;
}

test('a token is made once, private, and found again', async () => {
  const paths = pathsFor(join(folder, 'made'));
  const options = { paths, token: undefined, agentToken: undefined, caBundle };
  const tokens = await JoinTokens.open(options);
  const { caHash, user, secret } = parseJoinToken(await read(paths.token));
  assert.deepEqual([caHash, user], [caBundleHash(caBundle), 'server']);
  assert.equal((await stat(paths.token)).mode & 0o777, 0o600);
  assert.deepEqual(
    [await read(paths.agentToken), await read(paths.nodeToken)],
    [tokens.serverToken, tokens.serverToken],
  );
  assert.equal((await JoinTokens.open(options)).serverToken, tokens.serverToken);
  assert.ok(groupsOf(tokens, `server:${secret}`)?.includes(SERVER_BOOTSTRAPPERS));
  assert.deepEqual(groupsOf(tokens, `node:${secret}`), ['system:bootstrappers']);
  assert.equal(groupsOf(tokens, 'node:wrong'), undefined);
  assert.equal(tokens.authenticate('other:thing'), undefined);
  await tokens.rotate('changed');
  assert.equal(groupsOf(tokens, `server:${secret}`), undefined);
  assert.equal(parseJoinToken(await read(paths.agentToken)).secret, 'changed');
});

test('a token for agents lets no server in', async () => {
  const paths = pathsFor(join(folder, 'agents'));
  const tokens = await JoinTokens.open({ paths, token: 'high', agentToken: 'low', caBundle });
  assert.equal(parseJoinToken(await read(paths.agentToken)).secret, 'low');
  assert.deepEqual(groupsOf(tokens, 'node:low'), ['system:bootstrappers']);
  assert.equal(groupsOf(tokens, 'server:low'), undefined);
  assert.notEqual(groupsOf(tokens, 'node:high'), undefined);
});

test("another cluster's token is refused", async () => {
  const paths = pathsFor(join(folder, 'other'));
  const token = `K10${caBundleHash('another CA')}::server:x`;
  await assert.rejects(JoinTokens.open({ paths, token, agentToken: undefined, caBundle }), /another cluster's/);
});
