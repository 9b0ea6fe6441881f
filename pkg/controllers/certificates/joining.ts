/**
 * Whom a joining machine acts as between showing its token and having a certificate: for so long it may ask for the
 * client certificate of the one node whose name was given to it, and nothing else.
 */
export const JOINING_GROUP = 'system:bootstrappers:kedge:joining';

const PREFIX = 'system:bootstrap:node:';

export function joiningUserName(nodeName: string): string {
  return `${PREFIX}${nodeName}`;
}

/** The node that `username` may become; undefined for everybody else. */
export function joiningNodeOf(username: string | undefined): string | undefined {
  return username?.startsWith(PREFIX) === true ? username.slice(PREFIX.length) : undefined;
}
