import type { HostAlias, PodDNSConfig } from '../../../api/generated/core-v1.ts';
import { fieldError, goStringSlice } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { isDns1123Subdomain, isDns1123SubdomainWithUnderscore } from '../../../apimachinery/names.ts';
import { each, type Findings, ipAddress } from '../../validation/rules.ts';

const MAX_NAMESERVERS = 3;
const MAX_SEARCH_PATHS = 32;
const MAX_SEARCH_LENGTH = 2048;

/** Upstream's validatePodDNSConfig. */
export function* validateDnsConfig(
  config: PodDNSConfig | undefined,
  policy: string | undefined,
  path: FieldPath,
): Findings {
  const servers = config?.nameservers ?? [];
  if (policy === 'None') {
    if (config === undefined) {
      return yield fieldError.required(path, 'must provide `dnsConfig` when `dnsPolicy` is None');
    }
    if (servers.length === 0) {
      const text = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      return yield fieldError.required(path.child('nameservers'), text);
    }
  }
  if (config === undefined) return;
  if (servers.length > MAX_NAMESERVERS) {
    const text = `must not have more than ${MAX_NAMESERVERS} nameservers`;
    yield fieldError.invalid(path.child('nameservers'), goStringSlice(servers), text);
  }
  for (const [index, server] of servers.entries()) yield* ipAddress(path.child('nameservers').index(index), server);
  yield* validateSearches(config.searches ?? [], path.child('searches'));
  for (const [index, { name }] of (config.options ?? []).entries()) {
    if (!name) yield fieldError.required(path.child('options').index(index), 'must not be empty');
  }
}

function* validateSearches(searches: readonly string[], path: FieldPath): Findings {
  if (searches.length > MAX_SEARCH_PATHS) {
    const text = `must not have more than ${MAX_SEARCH_PATHS} search paths`;
    yield fieldError.invalid(path, goStringSlice(searches), text);
  }
  if (searches.join(' ').length > MAX_SEARCH_LENGTH) {
    const text = `must not have more than ${MAX_SEARCH_LENGTH} characters (including spaces) in the search list`;
    yield fieldError.invalid(path, goStringSlice(searches), text);
  }
  for (const [index, search] of searches.entries()) {
    if (search === '.') continue;
    yield* each(path.index(index), search.replace(/\.$/, ''), isDns1123SubdomainWithUnderscore);
  }
}

/** Upstream's ValidateHostAliases. */
export function* validateHostAliases(aliases: readonly HostAlias[], path: FieldPath): Findings {
  for (const [index, { ip, hostnames }] of aliases.entries()) {
    yield* ipAddress(path.index(index).child('ip'), ip);
    for (const [position, name] of (hostnames ?? []).entries()) {
      yield* each(path.index(index).child('hostnames').index(position), name, isDns1123Subdomain);
    }
  }
}
