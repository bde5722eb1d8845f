import { readFileSync } from 'node:fs';

/** The kernel counts in hundredths of a second for programs, on every architecture. */
const MICROS_PER_TICK = 10_000;

/**
 * CPU time that a process and its children have taken, in µs: all their threads, and children that have ended. Of
 * PostgreSQL so all sessions and all background work. Needs Linux.
 */
export function cpuMicrosOf(pid: number): number {
  const own = ticksOf(readFileSync(`/proc/${pid}/stat`, 'utf8')) * MICROS_PER_TICK;
  return childrenOf(pid).reduce((sum, child) => sum + cpuUnlessEnded(child), own);
}

/** Of user and system, both also of children that have ended and were waited for: fields 14 to 17 of proc_pid_stat(5). */
export function ticksOf(stat: string): number {
  // The second field is the name of the program, which may hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

/** Memory of a process that is in RAM, in bytes. */
export function residentBytesOf(pid: number): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

function childrenOf(pid: number): number[] {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return pids.split(' ').filter(Boolean).map(Number);
}

function cpuUnlessEnded(pid: number): number {
  try {
    return cpuMicrosOf(pid);
  } catch {
    return 0;
  }
}
