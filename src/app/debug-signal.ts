import type { LogLevel } from './config';
import type { JsonLogger } from './json-logger';

/**
 * SIGUSR2 switches the log between its level and `debug`; if that is its level, or `trace`, between it and `info`.
 * Listens from the first moment, as a process without a listener is ended by this signal.
 */
export class DebugSignal {
  private switch?: () => void;

  constructor() {
    process.on('SIGUSR2', () => this.switch?.());
  }

  /** `onLevel` is told each level that comes into force, the present one included. */
  govern(logger: JsonLogger, onLevel: (level: LogLevel) => void): void {
    const usual = logger.level;
    const other: LogLevel = usual === 'debug' || usual === 'trace' ? 'info' : 'debug';
    onLevel(usual);
    this.switch = () => {
      const level = logger.level === usual ? other : usual;
      // While it shows enough, so that the line is seen.
      if (level === 'debug') logger.level = level;
      logger.log(`SIGUSR2: the level of the log is ${level} now`, 'main');
      logger.level = level;
      onLevel(level);
    };
  }
}
