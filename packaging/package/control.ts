/** The texts that describe the Debian package. */

export type DebArch = 'amd64' | 'arm64';

const MAINTAINER = 'kedge maintainers <maintainers@kedge.dev>';

/**
 * Without these kedge does not run; an alternative is Docker's own package of containerd, which brings runc. The
 * libraries are Node.js's.
 */
const DEPENDS = [
  'ca-certificates',
  'conntrack',
  'containerd | containerd.io',
  'containernetworking-plugins',
  'init-system-helpers (>= 1.52)',
  'iproute2',
  'kmod',
  'libc6 (>= 2.28)',
  'libgcc-s1',
  'libstdc++6 (>= 5)',
  'nftables',
  'runc | containerd.io',
];
/** D-Bus, to ask systemd for the cgroups of Pods, and what Services over IPVS need: without it they use nftables. */
const RECOMMENDS = ['dbus', 'ipset', 'iptables', 'ipvsadm'];
const SUGGESTS = ['kubectl', 'nfs-common', 'open-iscsi'];

export interface PackageFacts {
  readonly version: string;
  readonly arch: DebArch;
  /** Of all files together, in KiB. */
  readonly installedSize: number;
}

export function controlFile(facts: PackageFacts): string {
  return [
    'Package: kedge',
    `Version: ${facts.version}`,
    `Architecture: ${facts.arch}`,
    `Maintainer: ${MAINTAINER}`,
    `Installed-Size: ${facts.installedSize}`,
    `Depends: ${DEPENDS.join(', ')}`,
    `Recommends: ${RECOMMENDS.join(', ')}`,
    `Suggests: ${SUGGESTS.join(', ')}`,
    'Section: admin',
    'Priority: optional',
    'Homepage: https://kedge.dev',
    'Description: Kubernetes for the edge in one executable',
    ' kedge is the API server, the controllers, the scheduler, the kubelet, the',
    ' Service proxy and the cluster DNS of a small cluster, over a datastore it',
    ' brings with it. Its API is that of Kubernetes; its flags and files follow k3s.',
    ' .',
    ' After the installation nothing runs yet: "systemctl enable --now kedge" starts',
    ' a cluster, "systemctl enable --now kedge-agent" makes this machine a node of',
    ' another one.',
    '',
  ].join('\n');
}

/** Debian's own form of a changelog; what changed is told in CHANGELOG.md beside it. */
export function debianChangelog(version: string, date: Date): string {
  const changes = '  * What is new: see /usr/share/doc/kedge/CHANGELOG.md.gz.';
  return `kedge (${version}) stable; urgency=medium\n\n${changes}\n\n -- ${MAINTAINER}  ${rfc2822(date)}\n`;
}

function rfc2822(date: Date): string {
  return date.toUTCString().replace('GMT', '+0000');
}

export function copyrightFile(): string {
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
    'Upstream-Name: kedge',
    'Source: https://kedge.dev',
    'Comment: The executable holds Node.js, libSQL and npm packages; their licences',
    ' are in third-party-licences.gz beside this file.',
    '',
    'Files: *',
    'Copyright: 2026 The kedge authors',
    'License: Apache-2.0',
    '',
    'License: Apache-2.0',
    ' On Debian systems the text of the Apache License 2.0 is in',
    ' /usr/share/common-licenses/Apache-2.0.',
    '',
  ].join('\n');
}
