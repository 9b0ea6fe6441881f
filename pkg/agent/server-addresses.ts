import type { Endpoints } from '../api/generated/core-v1.ts';
import { endpoints } from '../api/resources.ts';
import type { Component } from '../base/component.ts';
import type { HttpClient } from '../client/http/http-client.ts';

export interface ServerAddressesOptions {
  readonly client: HttpClient;
  /** Addresses that are tried whatever the cluster says, last. */
  readonly given: readonly string[];
  /** Told of every change. */
  readonly onChange: (servers: readonly string[]) => void;
}

/** The addresses of all servers as `default/kubernetes` names them, as URLs. */
export function serversOf(object: Endpoints | undefined): string[] {
  return (object?.subsets ?? []).flatMap(({ addresses = [], ports = [] }) => {
    const port = ports.find(({ name }) => name === 'https')?.port ?? 6443;
    return addresses.map(({ ip }) => `https://${ip.includes(':') ? `[${ip}]` : ip}:${port}`);
  });
}

/** k3s' client-side load balancer: keeps the client told of the servers there are, so that it has where to go. */
export function createServerAddresses({ client, given, onChange }: ServerAddressesOptions): Component {
  let unsubscribe = (): void => {};
  return {
    name: 'server-addresses',
    async start() {
      const informer = client.informer(endpoints, { namespace: 'default', fieldSelector: 'metadata.name=kubernetes' });
      unsubscribe = informer.subscribe(({ type, object }) => {
        const found = serversOf(object);
        if (type === 'deleted' || found.length === 0) return;
        const servers = [...new Set([...found, ...given])];
        client.setServers(servers);
        onChange(servers);
      });
    },
    ready: () => Promise.resolve(),
    async stop() {
      unsubscribe();
    },
  };
}
