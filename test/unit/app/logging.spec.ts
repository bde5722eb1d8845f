import { JsonLogger } from '../../../src/app/json-logger';
import { ReadableLog } from '../../../src/app/readable-log';
import { setupLines } from '../../../src/app/setup-lines';
import { loadConfig, type LogLevel } from '../../../src/app/config';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly context?: string;
}

function jsonLog(level: LogLevel) {
  const lines: Line[] = [];
  return { lines, logger: new JsonLogger(level, 'r1', { write: (line) => lines.push(JSON.parse(line) as Line) }) };
}

function readableLog() {
  const output: string[] = [];
  const destination = new ReadableLog({ write: (text) => output.push(text) });
  return { output, logger: new JsonLogger('info', 'r1', destination) };
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

  it('keeps the warnings and errors of Nest at their level', () => {
    const { lines, logger } = jsonLog('info');
    logger.warn('unsupported route', 'RouterExplorer');
    logger.error('no such module', 'a stack', 'InstanceLoader');
    expect(lines).toMatchObject([{ level: 40 }, { level: 50, stack: 'a stack' }]);
  });

  it('for a terminal has one readable line for each message, with its context', () => {
    const { output, logger } = readableLog();
    logger.log('listening on http://127.0.0.1:3000', 'main');
    logger.warn('authentication is off', 'auth');
    logger.debug('not at this level', 'main');
    expect(output.join('')).toMatch(
      /^\d\d:\d\d:\d\d info listening on http:\/\/127\.0\.0\.1:3000\n\d\d:\d\d:\d\d warn auth: authentication is off\n$/,
    );
  });

  it('for a terminal shows the stack of an error', () => {
    const { output, logger } = readableLog();
    const error = new Error('broken');
    logger.error(error, 'main');
    expect(output.join('').slice(9)).toBe(`error broken\n${error.stack}\n`);
  });
});

describe('the lines about the setup', () => {
  it('name what is embedded, with the absolute path of the data', () => {
    expect(setupLines(loadConfig({ DATA_DIR: '/var/lib/dossier' }))).toEqual([
      'PostgreSQL: embedded, the data is in /var/lib/dossier',
      expect.stringMatching(/^Redis: a cache inside this process/),
      expect.stringMatching(/^NATS: none/),
    ]);
    expect(setupLines(loadConfig({}))[0]).toBe(`PostgreSQL: embedded, the data is in ${process.cwd()}/data`);
    expect(setupLines(loadConfig({ DATA_DIR: 'memory' }))[0]).toContain('nothing is kept');
  });

  it('name the hosts of servers, and nothing else of their URLs', () => {
    const config = loadConfig({
      DATABASE_URL: 'postgres://user:secret@db.example:5432/dossier?password=secret',
      REDIS_URL: 'redis://:secret@cache-1:6379,redis://:secret@cache-2:6379',
      REDIS_CLUSTER: 'true',
      NATS_URL: 'nats://user:secret@bus:4222',
    });
    expect(setupLines(config)).toEqual([
      'PostgreSQL: db.example:5432',
      'Redis: cache-1:6379, cache-2:6379 (cluster)',
      'NATS: bus:4222',
    ]);
  });
});
