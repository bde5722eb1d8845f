import { JsonLogger } from '../../../src/app/json-logger';
import type { LogLevel } from '../../../src/app/config';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly context?: string;
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
});
