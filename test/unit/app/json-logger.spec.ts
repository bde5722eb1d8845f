import { Logger } from '@nestjs/common';
import { JsonLogger } from '../../../src/app/json-logger';
import type { LogLevel } from '../../../src/app/log-level';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly context?: string;
  readonly requestId?: string;
  readonly traceId?: string;
  readonly stack?: string;
}

function jsonLog(level: LogLevel) {
  const lines: Line[] = [];
  return { lines, logger: new JsonLogger(level, 'r1', { write: (line) => lines.push(JSON.parse(line) as Line) }) };
}

describe('the log', () => {
  it.each(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'NestApplication', 'NestMicroservice'])(
    'has the lines of %s at the level debug',
    (context) => {
      const { lines, logger } = jsonLog('info');
      logger.log('Mapped {/livez, GET} route', context);
      expect(lines).toEqual([]);
      const debug = jsonLog('debug');
      debug.logger.log('Mapped {/livez, GET} route', context);
      expect(debug.lines).toMatchObject([{ level: 20, context, msg: 'Mapped {/livez, GET} route' }]);
    },
  );

  it('has news of the service at the level info', () => {
    const { lines, logger } = jsonLog('info');
    logger.log('connected', 'redis');
    expect(lines).toMatchObject([{ level: 30, context: 'redis', msg: 'connected' }]);
  });

  it('keeps the warnings and errors of Nest at their level', () => {
    const { lines, logger } = jsonLog('info');
    logger.warn('unsupported route', 'RouterExplorer');
    logger.error('no such module', 'a stack', 'InstanceLoader');
    expect(lines).toMatchObject([{ level: 40 }, { level: 50, stack: 'a stack' }]);
  });

  it('has the ids of the call that a line is about', () => {
    const { lines, logger } = jsonLog('info');
    const ids = { requestId: 'r-1', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' };
    Logger.overrideLogger(logger);
    const nest = new Logger('auth');
    nest.warn('refused', ids);
    nest.error('broken', 'a stack', { requestId: 'r-2' });
    nest.error(new Error('broken'), { requestId: 'r-3' });
    nest.warn('of no call', undefined);
    nest.error('of a call long ago', undefined, { traceId: ids.traceId });
    expect(lines).toMatchObject([
      { msg: 'refused', context: 'auth', ...ids },
      { msg: 'broken', context: 'auth', requestId: 'r-2', stack: 'a stack' },
      {
        msg: 'broken',
        context: 'auth',
        requestId: 'r-3',
        stack: expect.stringContaining('json-logger.spec') as string,
      },
      { msg: 'of no call', context: 'auth' },
      { msg: 'of a call long ago', context: 'auth', traceId: ids.traceId },
    ]);
    expect(lines.map((line) => 'traceId' in line)).toEqual([true, false, false, false, true]);
    expect(lines.map((line) => 'requestId' in line)).toEqual([true, true, true, false, false]);
  });
});
