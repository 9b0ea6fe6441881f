import type {
  ClusterTrustBundleProjection,
  PodCertificateProjection,
  ProjectedVolumeSource,
  ServiceAccountTokenProjection,
  VolumeProjection,
} from '../../../api/generated/core-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isDns1123Subdomain } from '../../../apimachinery/names.ts';
import { domainPrefixedPath, type Findings, required, volumePath } from '../../validation/rules.ts';
import { fileMode, keyToPath, validateDownwardFile } from './volumes.ts';

const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;
const KEY_TYPES = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];
const MIN_CERTIFICATE_SECONDS = 3600;
const MAX_CERTIFICATE_SECONDS = 91 * 86_400;
/** Of certificates that signers of Kubernetes itself issue. */
const MAX_OWN_CERTIFICATE_SECONDS = 86_400;

/** Files of a volume; `path` is the volume's, which conflicts are told of. */
interface Files {
  readonly taken: Set<string>;
  readonly path: FieldPath;
}

/** Upstream's validateProjectedVolumeSource. */
export function* validateProjected(volume: ProjectedVolumeSource, path: FieldPath): Findings {
  yield* fileMode(volume.defaultMode, path.child('defaultMode'));
  const files = { taken: new Set<string>(), path };
  for (const [index, source] of (volume.sources ?? []).entries()) {
    const at = path.child('sources').index(index);
    yield* validateProjection(source, files, at);
    if (Object.values(source).filter((part) => part !== undefined).length > 1) {
      yield fieldError.forbidden(at, 'may not specify more than 1 volume type per source');
    }
  }
}

function* validateProjection(source: VolumeProjection, files: Files, at: FieldPath): Findings {
  for (const type of ['secret', 'configMap'] as const) {
    const part = source[type];
    if (part === undefined) continue;
    yield* required(at.child(type, 'name'), part.name);
    for (const [index, item] of (part.items ?? []).entries()) {
      yield* keyToPath(item, at.child(type, 'items').index(index));
      if (item.path) yield* claimPath(item.path, files, part.name ?? '');
    }
  }
  for (const file of source.downwardAPI?.items ?? []) {
    yield* validateDownwardFile(file, at.child('downwardAPI'));
    if (file.path) yield* claimPath(file.path, files);
  }
  const { serviceAccountToken, clusterTrustBundle, podCertificate } = source;
  if (serviceAccountToken !== undefined) {
    yield* validateToken(serviceAccountToken, files, at.child('serviceAccountToken'));
  }
  if (clusterTrustBundle !== undefined) {
    yield* validateTrustBundle(clusterTrustBundle, files, at.child('clusterTrustBundle'));
  }
  if (podCertificate !== undefined) yield* validateCertificate(podCertificate, files, at.child('podCertificate'));
}

/** Upstream tells of the path as if it were the volume's. */
function* validateToken(token: ServiceAccountTokenProjection, { path }: Files, at: FieldPath): Findings {
  const seconds = token.expirationSeconds ?? 0;
  const expiration = at.child('expirationSeconds');
  if (seconds < MIN_TOKEN_SECONDS) {
    yield fieldError.invalid(expiration, seconds, 'may not specify a duration less than 10 minutes');
  }
  if (seconds > MAX_TOKEN_SECONDS) {
    yield fieldError.invalid(expiration, seconds, 'may not specify a duration larger than 2^32 seconds');
  }
  if (!token.path) yield fieldError.required(path.child('path'));
  else yield* volumePath(path.child('path'), token.path);
}

function* validateTrustBundle(bundle: ClusterTrustBundleProjection, files: Files, at: FieldPath): Findings {
  const { name, signerName, labelSelector } = bundle;
  if (name !== undefined && signerName !== undefined) {
    yield fieldError.invalid(at, bundle as never, 'only one of name and signerName may be used');
  } else if (name !== undefined) {
    if (name === '') yield fieldError.required(at.child('name'), 'must be a valid object name');
    for (const text of isDns1123Subdomain(name.replaceAll(':', '.'))) {
      yield fieldError.invalid(at.child('name'), name, `not a valid clustertrustbundlename: ${text}`);
    }
    if (labelSelector !== undefined) {
      const text = 'labelSelector must be unset if name is specified';
      yield fieldError.invalid(at.child('labelSelector'), labelSelector as never, text);
    }
  } else if (signerName !== undefined) {
    if (signerName === '') yield fieldError.required(at.child('signerName'), 'must be a valid signer name');
    yield* domainPrefixedPath(at.child('signerName'), signerName);
    yield* validateLabelSelector(labelSelector, at.child('labelSelector'));
  } else {
    yield fieldError.required(at, 'either name or signerName must be specified');
  }
  yield* required(at.child('path'), bundle.path);
  yield* volumePath(at.child('path'), bundle.path ?? '');
  yield* claimPath(bundle.path ?? '', files);
}

function* validateCertificate(certificate: PodCertificateProjection, files: Files, at: FieldPath): Findings {
  const { signerName = '', keyType = '', maxExpirationSeconds: seconds } = certificate;
  yield* domainPrefixedPath(at.child('signerName'), signerName);
  if (!KEY_TYPES.includes(keyType)) yield fieldError.notSupported(at.child('keyType'), keyType, KEY_TYPES);
  if (seconds !== undefined) {
    const most = signerName.startsWith('kubernetes.io/') ? MAX_OWN_CERTIFICATE_SECONDS : MAX_CERTIFICATE_SECONDS;
    const refuse = (sign: string, bound: number) =>
      fieldError.invalid(
        at.child('maxExpirationSeconds'),
        seconds,
        `if provided, maxExpirationSeconds must be ${sign} ${bound}`,
      );
    if (seconds < MIN_CERTIFICATE_SECONDS) yield refuse('>=', MIN_CERTIFICATE_SECONDS);
    if (seconds > most) yield refuse('<=', most);
  }
  const paths = ['credentialBundlePath', 'keyPath', 'certificateChainPath'] as const;
  for (const field of paths) {
    const file = certificate[field];
    if (!file) continue;
    yield* volumePath(at.child(field), file);
    yield* claimPath(file, files);
  }
  if (paths.every((field) => !certificate[field])) {
    yield fieldError.required(at, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath');
  }
}

function* claimPath(file: string, { taken, path }: Files, told = file): Findings {
  if (taken.has(file)) yield fieldError.invalid(path, told, 'conflicting duplicate paths');
  taken.add(file);
}
