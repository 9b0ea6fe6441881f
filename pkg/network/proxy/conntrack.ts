import type { Ruleset, ServiceEndpoint, VirtualService } from './ruleset.ts';

/** A UDP flow as the kernel tracks it: what was asked of whom, and who answers. */
export interface Flow {
  readonly destination: string;
  readonly port: number;
  /** The source of replies: where address translation sends the flow. */
  readonly server: string;
  readonly serverPort: number;
}

/** The flows in the output of `conntrack -L -p udp`, each kind once. */
export function parseFlows(text: string): Flow[] {
  const flows = new Map<string, Flow>();
  for (const line of text.split('\n')) {
    const fields = [...line.matchAll(/\b(src|dst|sport|dport)=(\S+)/g)].map(
      ([, name, value]) => [name, value] as const,
    );
    // The first four are the request's, the next four the reply's.
    const request = Object.fromEntries(fields.slice(0, 4));
    const reply = Object.fromEntries(fields.slice(4, 8));
    const { dst: destination, dport } = request;
    const { src: server, sport } = reply;
    if (destination === undefined || dport === undefined || server === undefined || sport === undefined) continue;
    flows.set(`${destination} ${dport} ${server} ${sport}`, {
      destination,
      port: Number(dport),
      server,
      serverPort: Number(sport),
    });
  }
  return [...flows.values()];
}

/**
 * The tracked UDP flows that a ruleset would no longer send where they go. UDP has no end of connection, so a client
 * that keeps sending keeps such a flow alive, and its packets go to an endpoint that is no more.
 */
export function staleFlows(ruleset: Ruleset, flows: readonly Flow[], nodeAddresses: ReadonlySet<string>): Flow[] {
  const byAddress = new Map<string, Set<string>>();
  const byNodePort = new Map<number, Set<string>>();
  const serverSet = (endpoints: readonly ServiceEndpoint[]): Set<string> =>
    new Set(endpoints.map(({ address, port }) => `${address} ${port}`));
  for (const service of ruleset.services) {
    if (service.protocol !== 'udp') continue;
    if (service.clusterIP !== undefined) {
      byAddress.set(`${service.clusterIP} ${service.port}`, serverSet(service.internal.endpoints));
    }
    const outside = serverSet([...service.external.endpoints, ...service.cluster]);
    for (const { address } of service.externalAddresses) byAddress.set(`${address} ${service.port}`, outside);
    if (service.nodePort !== undefined) byNodePort.set(service.nodePort, outside);
  }
  return flows.filter((flow) => {
    const servers =
      byAddress.get(`${flow.destination} ${flow.port}`) ??
      (nodeAddresses.has(flow.destination) ? byNodePort.get(flow.port) : undefined);
    return servers !== undefined && !servers.has(`${flow.server} ${flow.serverPort}`);
  });
}

/** What of a ruleset concerns UDP, for telling whether tracked flows need to be looked at. */
export function udpPart(ruleset: Ruleset): VirtualService[] {
  return ruleset.services.filter(({ protocol }) => protocol === 'udp');
}

/** The arguments that make the kernel forget a flow. */
export function forgetFlow({ destination, port, server }: Flow): [string, ...string[]] {
  const request = ['--orig-dst', destination, '--orig-port-dst', String(port)];
  return ['conntrack', '-D', '-p', 'udp', ...request, '--reply-src', server];
}
