import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { findBinary } from './installed-binary';

/** A program that ends when the test's process exits; on Linux also when that process is killed. */
export function spawnMortal(
  program: string,
  args: readonly string[],
  options: SpawnOptions = {},
  deathSignal: 'SIGKILL' | 'SIGQUIT' = 'SIGKILL',
): ChildProcess {
  const setpriv = process.platform === 'linux' ? findBinary('setpriv') : undefined;
  const command = setpriv ? [setpriv, '--pdeathsig', deathSignal.slice(3), program, ...args] : [program, ...args];
  const child = spawn(command[0] as string, command.slice(1), options);
  const killWithParent = () => child.kill(deathSignal);
  process.once('exit', killWithParent);
  child.once('exit', () => process.off('exit', killWithParent));
  return child;
}
