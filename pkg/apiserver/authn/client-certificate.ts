import { createHash, type X509Certificate } from 'node:crypto';
import { subjectValues } from '../../pki/read-certificate.ts';
import type { UserInfo } from '../../registry/user-info.ts';
import { CREDENTIAL_ID } from './user.ts';

/** What is asked of a TLS connection; `tls.TLSSocket` is one, on the server's side with `requestCert: true`. */
export interface TlsPeer {
  /** Whether the peer's certificate chains up to the client authority and is for client use. */
  readonly authorized: boolean;
  getPeerX509Certificate(): X509Certificate | undefined;
}

/** The user a client certificate names: common name and organizations. Undefined without a common name. */
export function userOfCertificate(certificate: X509Certificate): UserInfo | undefined {
  const name = subjectValues(certificate.subject, 'CN').at(-1);
  if (name === undefined || name === '') return undefined;
  const digest = createHash('sha256').update(certificate.raw).digest('hex');
  return {
    name,
    groups: subjectValues(certificate.subject, 'O'),
    extra: { [CREDENTIAL_ID]: [`X509SHA256=${digest}`] },
  };
}

interface Known {
  readonly user: UserInfo | undefined;
  readonly notAfter: number;
}

/**
 * Authenticates by client certificate. The chain was verified in the TLS handshake; a connection's certificate is looked
 * at once and then remembered for as long as the connection lives, its expiry is checked at every request.
 */
export class ClientCertificateAuthenticator {
  readonly #known = new WeakMap<TlsPeer, Known>();

  /** The user, `invalid` for a certificate that does not count, undefined when the peer showed none. */
  authenticate(peer: TlsPeer, now: number): UserInfo | 'invalid' | undefined {
    let known = this.#known.get(peer);
    if (known === undefined) {
      const certificate = peer.getPeerX509Certificate();
      if (certificate === undefined) return undefined;
      if (!peer.authorized) return 'invalid';
      known = { user: userOfCertificate(certificate), notAfter: certificate.validToDate.getTime() };
      this.#known.set(peer, known);
    }
    return now > known.notAfter ? 'invalid' : known.user;
  }
}
