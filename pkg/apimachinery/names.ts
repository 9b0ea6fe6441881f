/**
 * The rules for names, label keys and values, and their texts (k8s.io/apimachinery util/validation). Each check
 * returns what is wrong, one text per rule broken; an empty list is a valid value.
 */

export const DNS1123_LABEL_MAX_LENGTH = 63;
export const DNS1123_SUBDOMAIN_MAX_LENGTH = 253;
const LABEL_VALUE_MAX_LENGTH = 63;

interface Rule {
  readonly pattern: RegExp;
  readonly message: string;
}

/** A regular expression with the sentence, examples and notation it is explained by. */
function rule(sentence: string, notation: string, ...examples: string[]): Rule {
  return { pattern: new RegExp(`^${notation}$`), message: regexError(sentence, notation, ...examples) };
}

/** How a regex failure is told: sentence, examples, the expression itself. */
export function regexError(sentence: string, notation: string, ...examples: string[]): string {
  if (examples.length === 0) return `${sentence} (regex used for validation is '${notation}')`;
  const shown = examples.map((example) => `'${example}', `).join(' or ');
  return `${sentence} (e.g. ${shown}regex used for validation is '${notation}')`;
}

export const maxLengthError = (length: number): string => `must be no more than ${length} characters`;

export const rangeError = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const UNDERSCORE_LABEL = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

const dns1123Label = rule(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  LABEL,
  'my-name',
  '123-abc',
);
const dns1123Subdomain = rule(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  SUBDOMAIN,
  'example.com',
);
const dns1123SubdomainWithUnderscore = rule(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  `${UNDERSCORE_LABEL}(\\.${UNDERSCORE_LABEL})*`,
  'example.com',
);
const wildcardSubdomain = rule(
  "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  `\\*\\.${SUBDOMAIN}`,
  '*.example.com',
);
const dns1035Label = rule(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  '[a-z]([-a-z0-9]*[a-z0-9])?',
  'my-name',
  'abc-123',
);
const qualifiedNameSentence =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const qualifiedName = rule(qualifiedNameSentence, QUALIFIED, 'MyName', 'my.name', '123-abc');
const labelValue = rule(
  `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
  `(${QUALIFIED})?`,
  'MyValue',
  'my_value',
  '12345',
);
const configMapKey = rule(
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  '[-._a-zA-Z0-9]+',
  'key.name',
  'KEY_NAME',
  'key-name',
);
const httpHeaderName = rule(
  "a valid HTTP header must consist of alphanumeric characters or '-'",
  '[-A-Za-z0-9]+',
  'X-Header-Name',
);
const percent = rule(
  "a valid percent string must be a numeric string followed by an ending '%'",
  '[0-9]+%',
  '1%',
  '93%',
);

function check(value: string, maxLength: number, { pattern, message }: Rule): string[] {
  const errors = [];
  if (value.length > maxLength) errors.push(maxLengthError(maxLength));
  if (!pattern.test(value)) errors.push(message);
  return errors;
}

/** A DNS label of up to 63 characters (namespaces, container names). */
export function isDns1123Label(value: string): string[] {
  const errors = [];
  if (value.length > DNS1123_LABEL_MAX_LENGTH) errors.push(maxLengthError(DNS1123_LABEL_MAX_LENGTH));
  if (!dns1123Label.pattern.test(value)) {
    errors.push(dns1123Subdomain.pattern.test(value) ? 'must not contain dots' : dns1123Label.message);
  }
  return errors;
}

/** Labels separated by dots, up to 253 characters (most object names). */
export const isDns1123Subdomain = (value: string): string[] =>
  check(value, DNS1123_SUBDOMAIN_MAX_LENGTH, dns1123Subdomain);

export const isDns1123SubdomainWithUnderscore = (value: string): string[] =>
  check(value, DNS1123_SUBDOMAIN_MAX_LENGTH, dns1123SubdomainWithUnderscore);

/** `*.example.com` (Ingress hosts). */
export const isWildcardDns1123Subdomain = (value: string): string[] =>
  check(value, DNS1123_SUBDOMAIN_MAX_LENGTH, wildcardSubdomain);

/** A label that starts with a letter (Services). */
export const isDns1035Label = (value: string): string[] => check(value, DNS1123_LABEL_MAX_LENGTH, dns1035Label);

/** `name` or `prefix.example/name`, as label and annotation keys are. */
export function isQualifiedName(value: string): string[] {
  const errors: string[] = [];
  const parts = value.split('/');
  if (parts.length > 2) {
    const rest = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
    return [`a qualified name ${qualifiedName.message} ${rest}`];
  }
  const name = parts.at(-1) ?? '';
  const prefix = parts.length === 2 ? (parts[0] ?? '') : undefined;
  if (prefix === '') errors.push('prefix part must be non-empty');
  else if (prefix !== undefined) errors.push(...isDns1123Subdomain(prefix).map((text) => `prefix part ${text}`));
  if (name === '') errors.push('name part must be non-empty');
  else if (name.length > LABEL_VALUE_MAX_LENGTH) errors.push(`name part ${maxLengthError(LABEL_VALUE_MAX_LENGTH)}`);
  if (!qualifiedName.pattern.test(name)) errors.push(`name part ${qualifiedName.message}`);
  return errors;
}

export const isLabelValue = (value: string): string[] => check(value, LABEL_VALUE_MAX_LENGTH, labelValue);

/** An IANA service name: what a container's or Service's port may be called. */
export function isPortName(value: string): string[] {
  const errors = [];
  if (value.length > 15) errors.push(maxLengthError(15));
  if (!/^[-a-z0-9]+$/.test(value)) {
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

export const isPortNumber = (value: number): string[] =>
  Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : [rangeError(1, 65535)];

/** Names that would climb out of a folder when used as a file name. */
function climbs(value: string): string[] {
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : [];
}

/** An environment variable by the relaxed rule: printable ASCII without `=`. */
export function isEnvVarName(value: string): string[] {
  const errors = [];
  if (value === '') errors.push('environment variable name must be non-empty');
  if (!/^[ -<>-~]*$/.test(value)) {
    errors.push("a valid environment variable name must consist only of printable ASCII characters other than '='");
  }
  return errors;
}

/** A key of a ConfigMap or Secret. */
export const isConfigMapKey = (value: string): string[] => [
  ...check(value, DNS1123_SUBDOMAIN_MAX_LENGTH, configMapKey),
  ...climbs(value),
];

export const isHttpHeaderName = (value: string): string[] => check(value, Number.POSITIVE_INFINITY, httpHeaderName);

export const isPercent = (value: string): string[] => check(value, Number.POSITIVE_INFINITY, percent);

/** A name that can stand in a URL path (RBAC roles, CRD objects of any kind). */
export function isPathSegmentName(value: string): string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return isPathSegmentPrefix(value);
}

/** The same for a `generateName`, to which a suffix comes. */
export function isPathSegmentPrefix(value: string): string[] {
  // Upstream lets NUL pass; it separates parts of the datastore's keys here.
  const found = ['/', '%', '\0'].filter((part) => value.includes(part));
  return found.map((part) => `may not contain '${part === '\0' ? '\\x00' : part}'`);
}

/** Checks a name or, with `prefix`, a generateName: its trailing dash will be followed by the random suffix. */
export type NameCheck = (name: string, prefix: boolean) => string[];

function withPrefix(checkName: (value: string) => string[]): NameCheck {
  return (name, prefix) => checkName(prefix && name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name);
}

export const nameIsDnsSubdomain: NameCheck = withPrefix(isDns1123Subdomain);
export const nameIsDnsLabel: NameCheck = withPrefix(isDns1123Label);
export const nameIsDns1035Label: NameCheck = withPrefix(isDns1035Label);
export const nameIsPathSegment: NameCheck = (name, prefix) =>
  prefix ? isPathSegmentPrefix(name) : isPathSegmentName(name);
