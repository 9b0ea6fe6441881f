import { KERNEL_OPTIONS, type Need, type OptionState } from './kernel-options.ts';
import type { MachineFindings } from './probe.ts';

export interface Finding {
  readonly what: string;
  /** `pass`: as it should be; `warn`: something recommended is missing; `fail`: kedge does not run so. */
  readonly result: 'pass' | 'warn' | 'fail';
  /** What was found, and the remedy unless it passes. */
  readonly text: string;
}

export interface Section {
  readonly title: string;
  readonly findings: readonly Finding[];
}

/** Judges what was found on a machine. */
export function judge(machine: MachineFindings): Section[] {
  return [
    { title: 'Programs', findings: machine.programs.map(programFinding) },
    { title: 'System', findings: system(machine) },
    { title: 'Kernel, required', findings: kernel(machine.kernel, 'required') },
    { title: 'Kernel, recommended', findings: kernel(machine.kernel, 'recommended') },
  ].filter(({ findings }) => findings.length > 0);
}

/** Whether kedge runs there. */
export function passes(sections: readonly Section[]): boolean {
  return !sections.some(({ findings }) => findings.some(({ result }) => result === 'fail'));
}

function programFinding(program: MachineFindings['programs'][number]): Finding {
  const what = program.name;
  if (program.path !== undefined) return { what, result: 'pass', text: program.path };
  const result = program.need === 'required' ? 'fail' : 'warn';
  return { what, result, text: `missing (${program.use}): apt install ${program.package}` };
}

/** Controllers of cgroups without which containers are not run. */
const CONTROLLERS = ['cpu', 'memory', 'pids'];
/** Processes, files and so on: fewer than these are used up by a busy node. */
const LEAST_INOTIFY_INSTANCES = 128;

function system(machine: MachineFindings): Finding[] {
  const { cgroups } = machine;
  const driver = cgroups.driver === 'systemd' ? ', made by systemd' : '';
  const missing = CONTROLLERS.filter((name) => !cgroups.controllers.has(name));
  const findings: Finding[] = [
    { what: 'kernel', result: 'pass', text: machine.kernelVersion },
    { what: 'cgroups', result: 'pass', text: `version ${cgroups.version}${driver}` },
    ...missing.map((name): Finding => {
      const setting = name === 'memory' ? 'cgroup_enable=memory cgroup_memory=1' : `cgroup_enable=${name}`;
      return {
        what: `cgroup ${name}`,
        result: 'fail',
        text: `off: add "${setting}" to the kernel's command line and reboot`,
      };
    }),
    machine.hasSysResource
      ? { what: 'privileges', result: 'pass', text: 'complete' }
      : {
          what: 'privileges',
          result: 'warn',
          text: 'CAP_SYS_RESOURCE is missing (a container?): memory pressure may end the wrong Pod first',
        },
    {
      what: 'swap',
      result: machine.hasSwap ? 'warn' : 'pass',
      text: machine.hasSwap ? 'on: Pods are kept from it, and the memory they use is harder to tell' : 'off',
    },
  ];
  if (cgroups.driver === 'systemd' && !machine.hasDbus) {
    const text = 'missing: the limits of whole Pods do not hold: apt install dbus';
    findings.push({ what: 'D-Bus', result: 'warn', text });
  }
  if (machine.inotifyInstances < LEAST_INOTIFY_INSTANCES) {
    const text = `${machine.inotifyInstances}: set fs.inotify.max_user_instances to ${LEAST_INOTIFY_INSTANCES} or more`;
    findings.push({ what: 'inotify instances', result: 'warn', text });
  }
  if (machine.kernel === undefined) {
    const text = 'not to be read (/proc/config.gz, /boot/config-*): whether features are there is not checked';
    findings.push({ what: 'kernel configuration', result: 'warn', text });
  }
  return findings;
}

function kernel(states: ReadonlyMap<string, OptionState> | undefined, need: Need): Finding[] {
  if (states === undefined) return [];
  return KERNEL_OPTIONS.filter((option) => option.need === need).map(({ name, use }) => {
    const state = states.get(name) ?? 'missing';
    const what = `CONFIG_${name}`;
    if (state !== 'missing') return { what, result: 'pass', text: state };
    return { what, result: need === 'required' ? 'fail' : 'warn', text: `missing (${use})` };
  });
}
