import { VERSION } from '../base/version.ts';

/** How a node calls itself in its requests. */
export const USER_AGENT = `kedge/${VERSION} (${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch})`;
