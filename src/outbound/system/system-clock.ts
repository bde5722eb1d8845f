import { setTimeout as sleep } from 'node:timers/promises';
import { Clock } from '../../core/ports/clock';
import { lateTimer } from './late-timer';

export class SystemClock extends Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  sleep(ms: number): Promise<void> {
    return sleep(ms);
  }

  after(ms: number, run: () => void): () => void {
    return lateTimer(ms, run);
  }
}
