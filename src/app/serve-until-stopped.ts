import { setImmediate as nextTurn } from 'node:timers/promises';
import { DebugSignal } from './debug-signal';
import { StopSignals } from './stop-signals';

/** The whole service, until a signal. Rejects if it cannot start. */
export async function serveUntilStopped(): Promise<void> {
  const signals = new StopSignals();
  const debugSignal = new DebugSignal();
  // Not imported above: to load it takes most of a second, in which a signal would end the process or be lost.
  const { serve } = await import('./application.js');
  // A signal that came meanwhile is noticed in the next iteration of the event loop.
  await nextTurn();
  await serve(signals, debugSignal);
}
