import packageJson from '../../package.json' with { type: 'json' };

/** kedge's own version. */
export const VERSION: string = packageJson.version;
/** The Kubernetes release whose API kedge serves. */
export const KUBERNETES_VERSION = '1.36.4';
