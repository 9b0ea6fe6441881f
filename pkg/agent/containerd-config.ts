import type { CgroupDriver } from '../host/cgroups.ts';
import type { ContainerdLayout } from './containerd-layout.ts';
import { PAUSE_IMAGE } from './pause-image.ts';

export interface ContainerdVersion {
  readonly major: number;
  readonly minor: number;
}

export type Snapshotter = 'overlayfs' | 'native';

/** What the configuration depends on besides where things are. */
export interface ContainerdFacts {
  readonly version: ContainerdVersion;
  readonly cniBinDir: string;
  readonly runc: string;
  readonly snapshotter: Snapshotter;
  readonly cgroupDriver: CgroupDriver;
  /** Whether the process may lower oom_score_adj; without it every sandbox would fail to start. */
  readonly hasSysResource: boolean;
}

/** The oldest containerd with CRI v1. */
export const OLDEST_CONTAINERD: ContainerdVersion = { major: 1, minor: 6 };

/** Reads the output of `containerd --version`; undefined when it tells no version. */
export function parseContainerdVersion(output: string): ContainerdVersion | undefined {
  const [, major, minor] = /\sv?(\d+)\.(\d+)\.\d+/.exec(output) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

export function isOlder(a: ContainerdVersion, b: ContainerdVersion): boolean {
  return a.major === b.major ? a.minor < b.minor : a.major < b.major;
}

/**
 * Plugins kedge has no use for. Those that probe devices or file systems cost time at start; NRI would take the
 * host-wide socket of another containerd; the monitors watch and restart by themselves what the kubelet manages.
 */
const UNUSED_PLUGINS: readonly string[] = [
  'io.containerd.differ.v1.erofs',
  'io.containerd.internal.v1.restart',
  'io.containerd.internal.v1.tracing',
  'io.containerd.monitor.container.v1.restart',
  'io.containerd.monitor.task.v1.cgroups',
  'io.containerd.monitor.v1.cgroups',
  'io.containerd.nri.v1.nri',
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.erofs',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.ttrpc.v1.otelttrpc',
];

type TomlValue = string | number | boolean | readonly string[];
type Table = readonly [name: string, values: Readonly<Record<string, TomlValue>>];

/** The text of containerd's configuration file: schema version 2 for containerd 1.x, 3 for 2.x. */
export function renderContainerdConfig(layout: ContainerdLayout, facts: ContainerdFacts): string {
  const second = facts.version.major >= 2;
  const unused = [
    ...UNUSED_PLUGINS,
    facts.snapshotter === 'native' ? 'io.containerd.snapshotter.v1.overlayfs' : 'io.containerd.snapshotter.v1.native',
  ];
  const tables: Table[] = [
    ['', { version: second ? 3 : 2, root: layout.root, state: layout.state, disabled_plugins: unused }],
    // -999, as Debian's unit file has it: under memory pressure containerd must outlive its containers.
    ...(facts.hasSysResource ? [['', { oom_score: -999 }] as const] : []),
    ['grpc', { address: layout.socket }],
    ['debug', { level: 'warn' }],
    [plugin('io.containerd.internal.v1.opt'), { path: `${layout.root}/opt` }],
    ...(second ? criTablesV3(layout, facts) : criTablesV2(layout, facts)),
  ];
  return renderToml(tables);
}

function plugin(id: string, ...path: readonly string[]): string {
  return ['plugins', JSON.stringify(id), ...path].join('.');
}

function runtimeSettings(facts: ContainerdFacts): Record<string, TomlValue> {
  return {
    enable_unprivileged_icmp: true,
    enable_unprivileged_ports: true,
    // Network namespaces lie below our state directory instead of /run/netns, which everybody uses.
    netns_mounts_under_state_dir: true,
    restrict_oom_score_adj: !facts.hasSysResource,
  };
}

function runcTables(id: string, layout: ContainerdLayout, facts: ContainerdFacts): Table[] {
  const runc = plugin(id, 'containerd', 'runtimes', 'runc');
  const options = { BinaryName: facts.runc, Root: layout.runcRoot, SystemdCgroup: facts.cgroupDriver === 'systemd' };
  return [
    [runc, { runtime_type: 'io.containerd.runc.v2' }],
    [`${runc}.options`, options],
  ];
}

function criTablesV2(layout: ContainerdLayout, facts: ContainerdFacts): Table[] {
  const id = 'io.containerd.grpc.v1.cri';
  return [
    [plugin(id), { ...runtimeSettings(facts), sandbox_image: PAUSE_IMAGE }],
    [plugin(id, 'cni'), { bin_dir: facts.cniBinDir, conf_dir: layout.cniConf }],
    [plugin(id, 'containerd'), { default_runtime_name: 'runc', snapshotter: facts.snapshotter }],
    ...runcTables(id, layout, facts),
    [plugin(id, 'registry'), { config_path: layout.registries }],
  ];
}

function criTablesV3(layout: ContainerdLayout, facts: ContainerdFacts): Table[] {
  const runtime = 'io.containerd.cri.v1.runtime';
  const images = 'io.containerd.cri.v1.images';
  const bin = facts.version.major === 2 && facts.version.minor === 0;
  return [
    [plugin(runtime), runtimeSettings(facts)],
    [
      plugin(runtime, 'cni'),
      { ...(bin ? { bin_dir: facts.cniBinDir } : { bin_dirs: [facts.cniBinDir] }), conf_dir: layout.cniConf },
    ],
    [plugin(runtime, 'containerd'), { default_runtime_name: 'runc' }],
    ...runcTables(runtime, layout, facts),
    [plugin(images), { snapshotter: facts.snapshotter }],
    [plugin(images, 'pinned_images'), { sandbox: PAUSE_IMAGE }],
    [plugin(images, 'registry'), { config_path: layout.registries }],
  ];
}

function renderToml(tables: readonly Table[]): string {
  let text = '# Written by kedge at every start: changes made here are lost.\n';
  for (const [name, values] of tables) {
    if (name !== '') text += `\n[${name}]\n`;
    // JSON's strings, numbers, booleans and arrays of strings are TOML's too.
    for (const [key, value] of Object.entries(values)) text += `${key} = ${JSON.stringify(value)}\n`;
  }
  return text;
}
