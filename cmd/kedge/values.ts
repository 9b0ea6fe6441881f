import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { NodeTaint } from '../../pkg/agent/config.ts';
import { parseDuration } from '../../pkg/apimachinery/duration.ts';
import { isDns1123Subdomain, isLabelValue, isQualifiedName } from '../../pkg/apimachinery/names.ts';
import { formatCIDR, parseAddress, parseCIDR } from '../../pkg/base/ip.ts';
import { PORTS } from '../../pkg/base/paths.ts';

/** Schemas for the kinds of values flags take; every message says what is wrong and what would be right. */

/** A schema that reads text with `read`; what `read` throws as Invalid becomes the issue. */
function parsed<T>(read: (text: string) => T): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      context.issues.push({ code: 'custom', message: error.message, input: text });
      return z.NEVER;
    }
  });
}

class Invalid extends Error {}

export const flagBoolean = parsed((text) => {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw new Invalid('is neither true nor false');
});

export const ipAddress = parsed((text) => {
  if (parseAddress(text) === undefined) throw new Invalid('is not an IP address; give one like 192.168.1.10');
  return text;
});

export const ipv4Block = parsed((text) => {
  const cidr = parseCIDR(text);
  if (cidr === undefined) throw new Invalid('is not a CIDR block; give one like 10.42.0.0/16');
  if (cidr.family !== 4) throw new Invalid('is an IPv6 block; give an IPv4 block like 10.42.0.0/16');
  if (formatCIDR(cidr) !== text) throw new Invalid(`has bits set behind its prefix; did you mean ${formatCIDR(cidr)}?`);
  return cidr;
});

export const port = parsed((text) => {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > 65535) throw new Invalid('is not a port; give a number from 1 to 65535');
  return value;
});

export const serverURL = parsed((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.pathname !== '/' || url.search !== '') {
    throw new Invalid('is not the address of a server; give one like https://192.168.1.10:6443');
  }
  return url.port === '' ? `${url.protocol}//${url.hostname}:6443` : url.origin;
});

/** In ms; certificates that live for less than a minute would be renewed all the time. */
export const lifetime = parsed((text) => {
  const ms = parseDuration(text) ?? 0;
  if (ms < 60_000) throw new Invalid('is no duration of a minute or more; give one like 8760h');
  return ms;
});

export const portRange = parsed((text) => {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || first < 1 || last > 65535 || first > last) {
    throw new Invalid('is not a range of ports; give one like 30000-32767');
  }
  return { first, last };
});

export const absolutePath = parsed((text) => {
  if (!isAbsolute(text)) throw new Invalid('is not an absolute path; begin it with /');
  return text;
});

export const existingFile = absolutePath.pipe(
  parsed((text) => {
    if (!(statSync(text, { throwIfNoEntry: false })?.isFile() ?? false)) {
      throw new Invalid('is no file; create it or name another');
    }
    return text;
  }),
);

export const fileMode = parsed((text) => {
  if (!/^(0|0o)?[0-7]{3}$/.test(text)) throw new Invalid('is not a file mode; give three octal digits like 600');
  return Number.parseInt(text.slice(-3), 8);
});

export const domainName = parsed((text) => {
  if (isDns1123Subdomain(text).length > 0) {
    throw new Invalid('is not a DNS name; use lower-case letters, digits, "-" and "."');
  }
  return text;
});

export const hostOrAddress = z.union([ipAddress, domainName], {
  error: 'is neither a host name nor an IP address',
});

export const networkDevice = parsed((text) => {
  if (!/^[^\s/:]{1,15}$/.test(text)) throw new Invalid('is not the name of a network device; give one like eth0');
  return text;
});

export const nodeLabel = parsed((text) => {
  const [key = '', value, ...rest] = text.split('=');
  if (value === undefined || rest.length > 0) throw new Invalid('is not a label; write it as key=value');
  checkKeyAndValue(key, value);
  return { key, value };
});

const EFFECTS: readonly NodeTaint['effect'][] = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export const nodeTaint = parsed((text): NodeTaint => {
  const match = /^([^=:]+)(?:=([^=:]*))?:([A-Za-z]+)$/.exec(text);
  const effect = EFFECTS.find((known) => known === match?.[3]);
  if (match === null || effect === undefined) {
    throw new Invalid(`is not a taint; write it as key=value:effect with an effect of ${EFFECTS.join(', ')}`);
  }
  const [, key = '', value = ''] = match;
  checkKeyAndValue(key, value);
  return { key, value, effect };
});

function checkKeyAndValue(key: string, value: string): void {
  const [keyProblem] = isQualifiedName(key);
  if (keyProblem !== undefined) throw new Invalid(`has a bad key: ${keyProblem}`);
  const [valueProblem] = isLabelValue(value);
  if (valueProblem !== undefined) throw new Invalid(`has a bad value: ${valueProblem}`);
}

export const runtimeSocket = parsed((text) => {
  const path = text.replace(/^unix:\/\//, '');
  if (!isAbsolute(path)) throw new Invalid('is not a socket; give one like unix:///run/containerd/containerd.sock');
  return path;
});

export const joinToken = parsed((text) => {
  if (!/^[\x21-\x7e]{1,512}$/.test(text)) {
    throw new Invalid('is not a token; give 1 to 512 printable letters without spaces');
  }
  return text;
});

/** One of some words. */
export function oneOf<const T extends string>(...words: readonly T[]): z.ZodType<T, string> {
  return parsed((text) => {
    const found = words.find((word) => word === text);
    if (found === undefined) throw new Invalid(`is unknown here; use ${words.join(', ')}`);
    return found;
  });
}

export const serverUrl = parsed((text) => {
  const problem = 'is not the address of a server; give one like https://192.168.1.10:6443';
  const url = URL.parse(text.includes('://') ? text : `https://${text}`);
  if (url === null || url.protocol !== 'https:' || url.hostname === '' || url.pathname !== '/')
    throw new Invalid(problem);
  return `https://${url.hostname}:${url.port === '' ? (text.endsWith(':443') ? 443 : PORTS.apiserver) : url.port}`;
});
