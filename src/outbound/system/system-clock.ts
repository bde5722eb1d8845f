import { Clock } from '../../core/ports/clock';

export class SystemClock extends Clock {
  nowMs(): number {
    return Date.now();
  }
}
