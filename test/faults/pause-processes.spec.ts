import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { pauseProcesses, resumeProcesses } from '../support/pause-processes';
import { until } from '../support/poll';
import { spawnMortal } from '../support/spawn-mortal';

const ROUNDS = 20;
/** A process that was still running would have replied by then. */
const REPLY_MS = 10;

describe('a paused process', () => {
  let echo: ChildProcess;
  let received = '';

  beforeEach(() => {
    received = '';
    echo = spawnMortal('cat', [], { stdio: ['pipe', 'pipe', 'inherit'] });
    echo.stdout?.on('data', (text: Buffer) => (received += text.toString()));
  });
  afterEach(() => echo.kill('SIGKILL'));

  it('replies to nothing that is sent after the call, until it is resumed', async () => {
    const pids = [echo.pid as number];
    for (let round = 1; round <= ROUNDS; round++) {
      echo.stdin?.write('x');
      await until('the reply before the pause', () => received === 'x'.repeat(2 * round - 1));
      pauseProcesses(pids);
      echo.stdin?.write('x');
      await sleep(REPLY_MS);
      expect(received).toBe('x'.repeat(2 * round - 1));
      resumeProcesses(pids);
      await until('the reply after the pause', () => received === 'x'.repeat(2 * round));
    }
  });

  it('may have ended already', async () => {
    const ended = once(echo, 'exit');
    echo.kill('SIGKILL');
    await ended;
    const pids = [echo.pid as number];
    expect(() => pauseProcesses(pids)).not.toThrow();
    expect(() => resumeProcesses(pids)).not.toThrow();
  });
});
