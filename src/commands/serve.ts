import { setImmediate as nextTurn } from 'node:timers/promises';
import { DebugSignal } from '../app/debug-signal';
import { StopSignals } from '../app/stop-signals';

/** As `node dist/main.js`. */
export async function serveUntilStopped(): Promise<void> {
  const signals = new StopSignals();
  const debugSignal = new DebugSignal();
  // Not imported above: to load it takes most of a second, in which a signal would end the process or be lost.
  const { serve } = await import('../app/application.js');
  // A signal that came meanwhile is noticed in the next iteration of the event loop.
  await nextTurn();
  await serve(signals, debugSignal);
}
