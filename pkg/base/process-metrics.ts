import { readdirSync, readFileSync } from 'node:fs';
import { metricText } from './metrics-text.ts';

const PAGE_BYTES = 4096;

/** The `process_*` metrics that every Prometheus client has, with its names and units. */
export function processMetricsText(): string {
  const cpu = process.cpuUsage();
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const [virtualPages = 0, residentPages = 0] = readFileSync('/proc/self/statm', 'utf8').split(' ').map(Number);
  const gauge = (name: string, help: string, value: number): string => metricText(name, 'gauge', help, [{ value }]);
  return [
    metricText('process_cpu_seconds_total', 'counter', 'Total user and system CPU time spent in seconds.', [
      { value: (cpu.user + cpu.system) / 1e6 },
    ]),
    gauge('process_max_fds', 'Maximum number of open file descriptors.', limitOf(limits, 'Max open files')),
    gauge('process_open_fds', 'Number of open file descriptors.', readdirSync('/proc/self/fd').length),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', residentPages * PAGE_BYTES),
    gauge(
      'process_start_time_seconds',
      'Start time of the process since unix epoch in seconds.',
      Math.round(Date.now() / 1000 - process.uptime()),
    ),
    gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.', virtualPages * PAGE_BYTES),
    gauge(
      'process_virtual_memory_max_bytes',
      'Maximum amount of virtual memory available in bytes.',
      limitOf(limits, 'Max address space'),
    ),
  ].join('');
}

/** The soft limit of that name; -1 when there is none, as Prometheus' clients say it. */
function limitOf(limits: string, name: string): number {
  const line = limits.split('\n').find((each) => each.startsWith(name)) ?? '';
  const [soft] = line.slice(name.length).trim().split(/\s+/);
  return soft === undefined || soft === 'unlimited' ? -1 : Number(soft);
}
