// Entry of every `npm run` command. Plain JavaScript without dependencies, so that any Node.js from 18 on can run it:
// it makes sure the npm packages are there (they bring the project's own Node.js 24), then hands over to that Node.js.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const modules = join(root, 'node_modules');

function fail(message) {
  process.stderr.write(`kedge: ${message}\n`);
  process.exit(1);
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    return fail(`${file} cannot be read: ${error.message}`);
  }
}

/** The first package of the lock file that node_modules lacks or has in another version; undefined when all match. */
function firstMismatch() {
  const wanted = readJson(join(root, 'package-lock.json'));
  if (wanted === undefined) fail('package-lock.json is missing: restore it with `git checkout package-lock.json`');
  // npm writes this file as the last step of an installation, so an interrupted one has none.
  const installed = readJson(join(modules, '.package-lock.json'));
  if (installed === undefined) return 'node_modules';
  for (const [path, entry] of Object.entries(wanted.packages)) {
    if (path === '' || entry.optional) continue;
    if (installed.packages[path]?.version !== entry.version) return path;
  }
  return existsSync(projectNode()) ? undefined : projectNode();
}

function projectNode() {
  return join(modules, `node-linux-${process.arch}`, 'bin', 'node');
}

function isLinked() {
  return lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function installPackages() {
  const started = Date.now();
  process.stderr.write('kedge: installing npm packages (once, about a minute) ...\n');
  const npm = process.env.npm_execpath;
  // Not `npm ci`: it wants optional packages of every platform in the lock file, and some registries lack those of
  // platforms kedge does not run on. Versions and hashes of all others are the lock file's all the same.
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  args.push('--include=dev', '--include=optional');
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] };
  const result =
    npm !== undefined && /\.c?js$/.test(npm)
      ? spawnSync(process.execPath, [npm, ...args], options)
      : spawnSync('npm', args, options);
  if (result.error?.code === 'ENOENT') fail('npm is not installed: install it (Debian/Ubuntu: `apt-get install npm`)');
  if (result.status !== 0) fail('`npm install` failed (see above): check that the npm registry can be reached');
  process.stderr.write(`kedge: npm packages installed in ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
}

const [command, ...args] = process.argv.slice(2);
if (command === undefined || !/^[a-z]+$/.test(command))
  fail('usage: npm run <command>; see README.md for the commands');
const script = join(root, 'packaging', 'dev', `${command}.ts`);
if (!existsSync(script)) fail(`there is no command "${command}": see the scripts in package.json`);
if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch))
  fail(`kedge is built on Linux on x64 or arm64, not on ${process.platform} on ${process.arch}`);

let mismatch = firstMismatch();
if (mismatch !== undefined && !isLinked()) {
  installPackages();
  mismatch = firstMismatch();
}
if (mismatch !== undefined)
  fail(
    `${mismatch} is missing or differs from package-lock.json: run \`npm install\` in ${isLinked() ? 'the checkout node_modules links to' : root}`,
  );

const child = spawn(projectNode(), [script, ...args], { cwd: root, stdio: 'inherit' });
// The terminal sends Ctrl-C to the whole group, so only the child decides how to end; a plain kill is passed on.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
