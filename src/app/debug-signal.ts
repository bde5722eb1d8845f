import type { LogLevels } from '../inbound/admin/log-levels';
import type { LogLevel } from './log-level';

/**
 * SIGUSR2 switches the log between its level and `debug`; if that is its level, or `trace`, between it and `info`.
 * Listens from the first moment, as a process without a listener is ended by this signal.
 */
export class DebugSignal {
  private switch?: () => void;

  constructor() {
    process.on('SIGUSR2', () => this.switch?.());
  }

  govern(levels: LogLevels<LogLevel>): void {
    const usual = levels.present;
    const other: LogLevel = usual === 'debug' || usual === 'trace' ? 'info' : 'debug';
    this.switch = () => levels.change(levels.present === usual ? other : usual, 'SIGUSR2');
  }
}
