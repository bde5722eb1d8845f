import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const PAUSED_AFTER_MS = 10_000;
const POLL_MS = 1;

/**
 * Returns when none of them runs any more: the signal alone takes effect later, and a process that is still running may
 * read a request that was sent after it, and reply. A process that has ended counts as paused.
 *
 * Synchronous, so that the process of the test sends nothing meanwhile: whatever it sends after the call has no reply.
 */
export function pauseProcesses(pids: readonly number[]): void {
  pids.forEach((pid) => signal(pid, 'SIGSTOP'));
  const giveUpAtMs = performance.now() + PAUSED_AFTER_MS;
  for (const pid of pids) {
    while (isRunning(pid)) {
      if (performance.now() > giveUpAtMs) throw new Error(`process ${pid} is not paused`);
      sleepSync(POLL_MS);
    }
  }
}

export function resumeProcesses(pids: readonly number[]): void {
  pids.forEach((pid) => signal(pid, 'SIGCONT'));
}

function signal(pid: number, name: NodeJS.Signals): void {
  unlessEnded(() => process.kill(pid, name));
}

/** Whether any of its threads is in a state other than stopped; each takes notice of the signal by itself. */
function isRunning(pid: number): boolean {
  return statesOf(pid).some((state) => !/^[TtZX]/.test(state));
}

function statesOf(pid: number): string[] {
  if (process.platform !== 'linux') return stateByPs(pid);
  const tasks = `/proc/${pid}/task`;
  const threads = unlessEnded(() => readdirSync(tasks)) ?? [];
  return threads.flatMap((thread) => unlessEnded(() => stateIn(readFileSync(`${tasks}/${thread}/stat`, 'utf8'))) ?? []);
}

function stateByPs(pid: number): string[] {
  const { stdout } = spawnSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.split('\n').filter((state) => state !== '');
}

/** The field behind the name, which may itself contain spaces and parentheses. */
function stateIn(stat: string): string {
  return stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
}

function unlessEnded<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (['ESRCH', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
