import packageJson from '../../package.json' with { type: 'json' };

/** kedge's own version. */
export const VERSION: string = packageJson.version;
/** The Kubernetes release whose API kedge serves. */
export const KUBERNETES_VERSION = '1.36.4';

/** The `/version` document: the API's level with kedge's own version behind the plus. */
export const versionInfo = {
  major: KUBERNETES_VERSION.split('.')[0] ?? '',
  minor: KUBERNETES_VERSION.split('.')[1] ?? '',
  emulationMajor: KUBERNETES_VERSION.split('.')[0] ?? '',
  emulationMinor: KUBERNETES_VERSION.split('.')[1] ?? '',
  gitVersion: `v${KUBERNETES_VERSION}+kedge${VERSION}`,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: `node${process.version}`,
  compiler: 'v8',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
} as const;
