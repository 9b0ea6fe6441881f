import { OperatorError } from '../base/component.ts';
import { errorText } from '../base/log.ts';

/** Nobody answered, which may be different in a moment. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
}

/** What an error of the connection to `server` means for who wants to join, or has joined: cause and remedy. */
export function connectionFailure(error: unknown, server: string): OperatorError | UnansweredError {
  const { hostname } = new URL(server);
  const cause = { cause: error };
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'CERT_NOT_YET_VALID':
    case 'CERT_HAS_EXPIRED':
      return new OperatorError(
        `the certificate of ${server} is ${code === 'CERT_HAS_EXPIRED' ? 'no longer' : 'not yet'} valid here: check the clocks of both machines (this one says ${new Date().toISOString()})`,
        cause,
      );
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return new OperatorError(
        `the certificate of ${server} is not for ${hostname}: start the server with --tls-san=${hostname}, or use one of its own names`,
        cause,
      );
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return new OperatorError(
        `the certificate of ${server} is not issued by the CA of its cluster: somebody else answers at that address, or something between takes its connections (a proxy, say); correct the address, or let the port through as it is`,
        cause,
      );
    case 'EPROTO':
      return new OperatorError(`${server} does not speak TLS: is it the address of a kedge server?`, cause);
    default:
      return new UnansweredError(`cannot reach ${server} (${errorText(error)}): check address, port and firewall`);
  }
}
