import { setImmediate as nextTurn } from 'node:timers/promises';
import { DebugSignal } from './app/debug-signal';
import { StopSignals } from './app/stop-signals';
import { USAGE } from './app/usage';

const args = process.argv.slice(2);
const signals = new StopSignals();
const debugSignal = new DebugSignal();

async function main(): Promise<void> {
  // Not imported above: to load it takes most of a second, in which a signal would end the process or be lost.
  const { serve } = await import('./app/application.js');
  // A signal that came meanwhile is noticed in the next iteration of the event loop.
  await nextTurn();
  await serve(signals, debugSignal);
}

if (args.some((arg) => ['-h', '--help', 'help'].includes(arg))) process.stdout.write(USAGE);
else if (args.length > 0) refuse(`unknown argument ${JSON.stringify(args[0])}: settings are variables, see --help`);
else main().catch((error: unknown) => refuse(reasonOf(error)));

/** One line for the operator; a stack only if the fault may be ours. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'ConfigError' ? error.message : (error.stack ?? error.message);
}

function refuse(reason: string): never {
  process.stderr.write(`dossier: ${reason}\n`);
  process.exit(1);
}
