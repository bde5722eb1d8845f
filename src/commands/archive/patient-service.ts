import type { Clock } from '../../core/ports/clock';
import { CommandError, EXIT } from '../exit-code';
import { RemoteRefusal, type RemoteService } from '../remote/remote-service';
import type { Pace } from './pace';

const MAX_ATTEMPTS = 6;
const PAUSE_MS = 1000;

/** Reads from a service at a bounded rate, and waits for a while if it is unavailable. */
export class PatientService {
  constructor(
    private readonly service: RemoteService,
    private readonly pace: Pace,
    private readonly clock: Clock,
  ) {}

  /** The JSON text of the result. Throws `CommandError`. */
  async call(method: string, params: object): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      await this.pace.turn();
      try {
        return await this.service.call(method, JSON.stringify(params));
      } catch (error) {
        const mayPass = error instanceof CommandError && error.exitCode === EXIT.unavailable;
        if (!mayPass || attempt === MAX_ATTEMPTS) throw error;
        const askedForMs = error instanceof RemoteRefusal ? error.retryAfterMs : 0;
        await this.clock.sleep(Math.max(askedForMs, PAUSE_MS * attempt));
      }
    }
  }
}
