import { join } from 'node:path';
import type { Pod } from '../api/generated/core-v1.ts';
import type { EnumValue, MessageInit } from '../cri/types.ts';
import { ANNOTATIONS, sandboxLabels } from './container-labels.ts';
import { type ClusterDns, type DnsConfig, podDnsConfig } from './dns-config.ts';
import { podHostname } from './pod-hostname.ts';
import { sandboxSecurity } from './security-context.ts';

/** What of the node goes into every sandbox. */
export interface SandboxSettings {
  readonly podLogDir: string;
  readonly clusterDns: ClusterDns;
  readonly hostDns: DnsConfig;
  /** The cgroup the Pod's containers are put below. */
  readonly cgroupParent: (pod: Pod) => string;
}

const PROTOCOLS: ReadonlySet<string> = new Set<EnumValue<'Protocol'>>(['TCP', 'UDP', 'SCTP']);

function isProtocol(text: string): text is EnumValue<'Protocol'> {
  return PROTOCOLS.has(text);
}

function portMappings(pod: Pod): MessageInit<'PortMapping'>[] {
  if (pod.spec.hostNetwork === true) return [];
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  return containers.flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => {
        const protocol = port.protocol ?? 'TCP';
        return {
          containerPort: port.containerPort,
          hostPort: port.hostPort,
          hostIp: port.hostIP ?? '',
          protocol: isProtocol(protocol) ? protocol : 'TCP',
        };
      }),
  );
}

/** The folder of a Pod's logs: `<podLogDir>/<namespace>_<name>_<uid>`. */
export function podLogDirectory(
  podLogDir: string,
  pod: { readonly namespace?: string | undefined; readonly name: string; readonly uid: string },
): string {
  return join(podLogDir, `${pod.namespace ?? ''}_${pod.name}_${pod.uid}`);
}

/** CRI's configuration of the Pod's sandbox number `attempt`. Pure. */
export function sandboxConfig(pod: Pod, attempt: number, settings: SandboxSettings): MessageInit<'PodSandboxConfig'> {
  const { name, uid, namespace = '' } = pod.metadata;
  const dns = podDnsConfig(pod, settings.clusterDns, settings.hostDns);
  const sysctls = (pod.spec.securityContext?.sysctls ?? []).map(({ name: key, value }) => [
    key.replaceAll('/', '.'),
    value,
  ]);
  return {
    metadata: { name, uid, namespace, attempt },
    hostname: pod.spec.hostNetwork === true ? '' : podHostname(pod, settings.clusterDns.domain).kernelName,
    logDirectory: podLogDirectory(settings.podLogDir, pod.metadata),
    dnsConfig: { servers: dns.servers, searches: dns.searches, options: dns.options },
    portMappings: portMappings(pod),
    labels: sandboxLabels(pod),
    annotations: { ...pod.metadata.annotations, [ANNOTATIONS.configSource]: 'api' },
    linux: {
      cgroupParent: settings.cgroupParent(pod),
      securityContext: sandboxSecurity(pod),
      sysctls: Object.fromEntries(sysctls),
    },
  };
}
