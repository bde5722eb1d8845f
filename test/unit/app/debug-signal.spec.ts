import { DebugSignal } from '../../../src/app/debug-signal';
import { JsonLogger } from '../../../src/app/json-logger';
import { LogLevelSwitch } from '../../../src/app/log-level-switch';
import type { LogLevel } from '../../../src/app/log-level';

describe('SIGUSR2', () => {
  afterEach(() => process.removeAllListeners('SIGUSR2'));

  function governed(level: LogLevel) {
    const lines: string[] = [];
    const logger = new JsonLogger(level, 'r1', {
      write: (line) => lines.push((JSON.parse(line) as { msg: string }).msg),
    });
    const levels: LogLevel[] = [];
    const signal = new DebugSignal();
    process.emit('SIGUSR2');
    signal.govern(new LogLevelSwitch(logger, (level) => levels.push(level)));
    return { lines, logger, levels };
  }

  it('before the start is complete changes nothing, and does not end the process', () => {
    const { lines, levels } = governed('info');
    expect(lines).toEqual([]);
    expect(levels).toEqual(['info']);
  });

  it.each<[LogLevel, LogLevel]>([
    ['info', 'debug'],
    ['warn', 'debug'],
    ['error', 'debug'],
    ['debug', 'info'],
    ['trace', 'info'],
  ])('switches the level %s to %s and back, and says so each time', (usual, other) => {
    const { lines, logger, levels } = governed(usual);
    process.emit('SIGUSR2');
    expect(logger.level).toBe(other);
    process.emit('SIGUSR2');
    expect(logger.level).toBe(usual);
    expect(levels).toEqual([usual, other, usual]);
    expect(lines).toEqual([other, usual].map((level) => `SIGUSR2: the level of the log is ${level} now`));
  });
});
