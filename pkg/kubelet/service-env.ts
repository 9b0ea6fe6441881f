/** The environment variables that tell containers of Services (upstream envvars.FromServices). Pure. */
import type { Service } from '../api/generated/core-v1.ts';

const ALWAYS = { name: 'kubernetes', namespace: 'default' };

function variableName(name: string): string {
  return name.replaceAll('-', '_').toUpperCase();
}

function hostText(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}

function linkVariables(name: string, ip: string, service: Service): [string, string][] {
  const result: [string, string][] = [];
  for (const [index, port] of (service.spec.ports ?? []).entries()) {
    const protocol = port.protocol ?? 'TCP';
    const url = `${protocol.toLowerCase()}://${hostText(ip)}:${port.port}`;
    const prefix = `${name}_PORT_${port.port}_${protocol}`;
    if (index === 0) result.push([`${name}_PORT`, url]);
    result.push([prefix, url], [`${prefix}_PROTO`, protocol.toLowerCase()]);
    result.push([`${prefix}_PORT`, String(port.port)], [`${prefix}_ADDR`, ip]);
  }
  return result;
}

function variablesOf(service: Service): [string, string][] {
  const ip = service.spec.clusterIP ?? '';
  const ports = service.spec.ports ?? [];
  const name = variableName(service.metadata.name);
  const result: [string, string][] = [[`${name}_SERVICE_HOST`, ip]];
  for (const [index, port] of ports.entries()) {
    if (index === 0) result.push([`${name}_SERVICE_PORT`, String(port.port)]);
    if (port.name !== undefined && port.name !== '') {
      result.push([`${name}_SERVICE_PORT_${variableName(port.name)}`, String(port.port)]);
    }
  }
  return [...result, ...linkVariables(name, ip, service)];
}

/**
 * The variables for a Pod of `namespace`: of the API's own Service always, of the namespace's Services when the Pod
 * has `enableServiceLinks`. Services without a cluster IP have none.
 */
export function serviceEnv(services: readonly Service[], namespace: string, links: boolean): Map<string, string> {
  const own: Service[] = [];
  const api: Service[] = [];
  for (const service of services) {
    const ip = service.spec.clusterIP ?? '';
    if (ip === '' || ip === 'None') continue;
    const { name, namespace: home } = service.metadata;
    if (home === namespace && links) own.push(service);
    else if (name === ALWAYS.name && home === ALWAYS.namespace) api.push(service);
  }
  // A Service of the Pod's own namespace wins over the API's.
  return new Map([...api, ...own].flatMap(variablesOf));
}
