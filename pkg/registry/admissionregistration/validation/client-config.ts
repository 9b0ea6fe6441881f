import type { WebhookClientConfig } from '../../../api/generated/admissionregistration-v1.ts';
import { fieldError } from '../../../apimachinery/field-error.ts';
import type { FieldPath } from '../../../apimachinery/field-path.ts';
import { goQuote } from '../../../apimachinery/go-quote.ts';
import { isDns1123Subdomain, isPortNumber } from '../../../apimachinery/names.ts';
import type { Findings } from '../../validation/rules.ts';

const FORM = '; desired format: https://host[/path]';

/** Where a webhook is called: a URL or a Service. */
export function* validateClientConfig({ url, service }: WebhookClientConfig, path: FieldPath): Findings {
  if ((url === undefined) === (service === undefined)) {
    return yield fieldError.required(path, 'exactly one of url or service is required');
  }
  if (url !== undefined) yield* validateUrl(url, path.child('url'));
  if (service === undefined) return;
  const at = path.child('service');
  // Upstream hands over the two the wrong way round, and tells of each what is wrong with the other.
  if (!service.namespace) yield fieldError.required(at.child('name'));
  if (!service.name) yield fieldError.required(at.child('namespace'));
  for (const text of isPortNumber(service.port ?? 0)) {
    yield fieldError.invalid(at.child('port'), service.port ?? 0, `port is not valid: ${text}`);
  }
  if (service.path !== undefined) yield* validatePath(service.path, at.child('path'));
}

/** Upstream's ValidateWebhookURL. */
function* validateUrl(text: string, path: FieldPath): Findings {
  const url = splitUrl(text);
  if (typeof url === 'string') {
    return yield fieldError.required(path, `url must be a valid URL: parse ${goQuote(text)}: ${url}${FORM}`);
  }
  const { scheme, user, host, query, fragment } = url;
  if (scheme !== 'https') yield fieldError.invalid(path, scheme, `'https' is the only allowed URL scheme${FORM}`);
  if (host === '') yield fieldError.invalid(path, host, `host must be specified${FORM}`);
  if (user !== undefined) yield fieldError.invalid(path, user, 'user information is not permitted in the URL');
  if (fragment !== '') yield fieldError.invalid(path, fragment, 'fragments are not permitted in the URL');
  if (query !== '') yield fieldError.invalid(path, query, 'query parameters are not permitted in the URL');
}

interface UrlParts {
  readonly scheme: string;
  readonly user: string | undefined;
  readonly host: string;
  readonly query: string;
  readonly fragment: string;
}

/** The parts of a URL as Go's net/url reads it, which takes nearly everything, or what it says is wrong. */
function splitUrl(text: string): UrlParts | string {
  if ([...text].some((char) => char < ' ' || char === '\x7f')) return 'net/url: invalid control character in URL';
  const [whole = '', ...fragments] = text.split('#');
  if (whole.startsWith(':')) return 'missing protocol scheme';
  const [, given, behind = ''] = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(.*)$/s.exec(whole) ?? [];
  const [rest = '', ...queries] = behind.split('?');
  const parts = {
    scheme: (given ?? '').toLowerCase(),
    query: queries.join('?'),
    fragment: fragments.join('#'),
  };
  const hasColon = given === undefined && (rest.split('/')[0] ?? '').includes(':');
  if (hasColon) return 'first path segment in URL cannot contain colon';
  const wrong = [rest, parts.fragment].map(wrongEscape).find(Boolean);
  if (wrong !== undefined) return `invalid URL escape ${goQuote(wrong)}`;
  if (!rest.startsWith('//')) return { ...parts, user: undefined, host: '' };
  const authority = rest.slice(2).split('/')[0] ?? '';
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  const stranger = /[ \\^`{|}]/.exec(host)?.[0];
  if (stranger !== undefined) return `invalid character ${goQuote(stranger)} in host name`;
  const port = /(?:^|[^:\]]|\])(:[^:\]]*)$/.exec(host)?.[1];
  if (port !== undefined && !/^:\d*$/.test(port)) return `invalid port ${goQuote(port)} after host`;
  return { ...parts, user: at < 0 ? undefined : authority.slice(0, at), host };
}

/** The first `%` that two hexadecimal digits do not follow, with what follows. */
const wrongEscape = (text: string): string | undefined => /%(?![0-9a-fA-F]{2}).{0,2}/.exec(text)?.[0];

/** Upstream's rules for the path of a Service. */
function* validatePath(text: string, path: FieldPath): Findings {
  if (text === '/' || text === '') return;
  if (text === '//') return yield fieldError.invalid(path, text, 'segment[0] may not be empty');
  if (!text.startsWith('/')) yield fieldError.invalid(path, text, "must start with a '/'");
  const segments = text.slice(1).replace(/\/$/, '').split('/');
  for (const [index, segment] of segments.entries()) {
    const texts = segment === '' ? [' may not be empty'] : isDns1123Subdomain(segment).map((wrong) => `: ${wrong}`);
    for (const wrong of texts) yield fieldError.invalid(path, text, `segment[${index}]${wrong}`);
  }
}
