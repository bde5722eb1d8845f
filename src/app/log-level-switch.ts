import { LogLevels } from '../inbound/admin/log-levels';
import { LOG_LEVELS, type LogLevel } from './log-level';
import type { JsonLogger } from './json-logger';

/** Changes the level of the log while the service runs. */
export class LogLevelSwitch extends LogLevels<LogLevel> {
  readonly choices = LOG_LEVELS;

  /** `onLevel` is told each level that comes into force, the present one included. */
  constructor(
    private readonly logger: JsonLogger,
    private readonly onLevel: (level: LogLevel) => void,
  ) {
    super();
    onLevel(logger.level);
  }

  get present(): LogLevel {
    return this.logger.level;
  }

  change(level: LogLevel, by: string): void {
    // The line is to be seen, whatever the levels are.
    this.logger.level = 'info';
    this.logger.log(`${by}: the level of the log is ${level} now`, 'main');
    this.logger.level = level;
    this.onLevel(level);
  }
}
