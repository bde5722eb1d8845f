/** Iterations of the event loop: in each of them, replies that have arrived are read. */
const TURNS = 3;

/**
 * A limit to the time in which a reply must come. A process that was stopped, or was busy, finds its timers due before
 * it reads what has arrived meanwhile: so a timer is not believed before the loop has turned. Returns what cancels it.
 */
export function lateTimer(ms: number, onSilence: () => void): () => void {
  let turn: NodeJS.Immediate | undefined;
  const wait = (turns: number) => {
    turn = setImmediate(() => (turns > 1 ? wait(turns - 1) : onSilence()));
  };
  const timer = setTimeout(() => wait(TURNS), ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(turn);
  };
}
