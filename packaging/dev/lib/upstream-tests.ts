import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mustRun } from './command.ts';
import { unpackFromDebian, unpackSource } from './debian-sid.ts';
import { BUILD_DIR } from './project.ts';
import { step } from './report.ts';

const TOOL_DIR = join(BUILD_DIR, 'tools', 'conformance');
const GO_DIR = join(TOOL_DIR, 'go');
const GOPATH = join(TOOL_DIR, 'gopath');
const SOURCE = join(GOPATH, 'src', 'k8s.io', 'kubernetes');

/** The program with upstream's end-to-end tests, as the build leaves it. */
export const UPSTREAM_TESTS = join(TOOL_DIR, 'e2e.test');

/** What has to be another way where its release is older than what it tests. Each has to be found once. */
const CHANGES: readonly { readonly file: string; readonly from: string; readonly to: string }[] = [
  {
    // Since 1.24 service accounts have no Secrets.
    file: 'test/e2e/framework/util.go',
    from: 'switch t := event.Object.(type) {\n\tcase *v1.ServiceAccount:\n\t\treturn len(t.Secrets) > 0, nil',
    to: 'switch event.Object.(type) {\n\tcase *v1.ServiceAccount:\n\t\treturn true, nil',
  },
];

/** Upstream generates a file with manifests, which only tests that start containers use. */
const NO_MANIFESTS = `package generated

import "os"

func Asset(name string) ([]byte, error) { return nil, os.ErrNotExist }
func AssetNames() []string             { return nil }
`;

/**
 * Upstream's end-to-end tests of the newest release whose whole source Debian has (1.20, in bookworm), built once: the
 * source and its compiler are 150 MB to fetch, and the build takes some minutes. Throws OperatorError when the archive
 * cannot be reached, CommandError when the build fails.
 */
export async function ensureUpstreamTests(): Promise<void> {
  if (existsSync(UPSTREAM_TESTS)) return;
  await step('fetching Go', () => unpackFromDebian('bookworm', ['golang-1.19-go', 'golang-1.19-src'], GO_DIR));
  const fetched = join(TOOL_DIR, 'source');
  await step("fetching upstream's source", () => unpackSource('bookworm', 'kubernetes', fetched));
  rmSync(GOPATH, { recursive: true, force: true });
  mkdirSync(dirname(SOURCE), { recursive: true });
  renameSync(join(fetched, 'root', 'kubernetes-1.20.2'), SOURCE);
  for (const { file, from, to } of CHANGES) {
    const text = readFileSync(join(SOURCE, file), 'utf8');
    if (!text.includes(from)) throw new Error(`${file} is not what it was: ${from}`);
    writeFileSync(join(SOURCE, file), text.replace(from, to));
  }
  writeFileSync(join(SOURCE, 'test/e2e/generated/bindata.go'), NO_MANIFESTS);
  const GOROOT = join(GO_DIR, 'root/usr/lib/go-1.19');
  const env = { GOROOT, GOPATH, GOCACHE: join(TOOL_DIR, 'cache'), GO111MODULE: 'off', GOFLAGS: '', CGO_ENABLED: '0' };
  const built = `${UPSTREAM_TESTS}.new`;
  await step("building upstream's tests", () =>
    mustRun(join(GOROOT, 'bin', 'go'), ['test', '-c', '-o', built, './test/e2e'], { cwd: SOURCE, env }),
  );
  renameSync(built, UPSTREAM_TESTS);
  for (const folder of [GO_DIR, GOPATH, fetched, env.GOCACHE]) rmSync(folder, { recursive: true, force: true });
}
