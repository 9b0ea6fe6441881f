import { envName, type Flag, SERVER_FLAGS } from '../../cmd/kedge/flags.ts';

/** The manual page kedge(8), made from the table of flags. */
export function manualPage(version: string): string {
  const lines = [
    `.TH KEDGE 8 "" "kedge ${version}" "System administration"`,
    '.SH NAME',
    'kedge \\- Kubernetes for the edge in one executable',
    '.SH SYNOPSIS',
    '.B kedge server',
    '.RI [ flags ]',
    '.br',
    '.B kedge agent',
    '.RI [ flags ]',
    '.br',
    '.B kedge kubectl',
    '.IR arguments ...',
    '.br',
    '.B kedge',
    '.RB { check\\-config | killall | uninstall | \\-\\-version | \\-\\-help }',
    '.SH DESCRIPTION',
    text(
      'kedge is the API server, the controllers, the scheduler, the kubelet, the Service proxy and the cluster DNS of',
    ),
    text('a small cluster, over a datastore it brings with it. Its API is that of Kubernetes.'),
    '.SH SETTINGS OF KEDGE SERVER',
    text('Every setting is a flag, an environment variable and a key of the configuration file at once, looked up in'),
    text('that order. Lists may be repeated or separated by commas.'),
    ...SERVER_FLAGS.flatMap((flag) => entry(flag)),
    '.SH FILES',
    ...FILES.flatMap(([path, meaning]) => ['.TP', `.I ${text(path)}`, text(meaning)]),
    '.SH SEE ALSO',
    '.BR kubectl (1),',
    '.BR systemctl (1)',
    '',
  ];
  return lines.join('\n');
}

const FILES = [
  ['/etc/kedge/config.yaml', 'Settings.'],
  ['/etc/kedge/kedge.env, /etc/kedge/kedge-agent.env', 'Environment of the services.'],
  ['/etc/kedge/kedge.yaml', "The administrator's kubeconfig."],
  ['/var/lib/kedge', 'Everything that outlives a restart.'],
  ['/var/lib/kedge/server/manifests', 'Manifests put here are applied to the cluster.'],
  ['/var/lib/kedge/agent/images', 'Image archives put here are imported.'],
] as const;

function entry(flag: Flag): string[] {
  const short = flag.short === undefined ? '' : `\\-${flag.short}, `;
  const value = flag.kind === 'boolean' ? '' : ` \\fI${text(flag.placeholder ?? 'value')}\\fR`;
  const fallback = flag.default ?? flag.defaultText;
  const facts = [fallback === undefined ? [] : [`default: ${fallback}`], flag.kind === 'list' ? ['repeatable'] : []];
  const tail = facts.flat().length === 0 ? '' : ` (${facts.flat().join(', ')})`;
  return [
    '.TP',
    `\\fB${short}\\-\\-${text(flag.name)}\\fR${value}`,
    text(`${flag.description}${tail} [${envName(flag)}]`),
  ];
}

/** Plain text as roff wants it: no command by accident, and hyphens that can be copied. */
function text(plain: string): string {
  return plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}
