import { setTimeout as sleep } from 'node:timers/promises';
import { Clock } from '../../core/ports/clock';

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
}
