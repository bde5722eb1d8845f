import { JsonLogger } from '../../../src/app/json-logger';
import { ReadableLog } from '../../../src/app/readable-log';

function readableLog() {
  const output: string[] = [];
  const destination = new ReadableLog({ write: (text) => output.push(text) });
  return { output, logger: new JsonLogger('info', 'r1', destination) };
}

describe('the log for a terminal', () => {
  it('has one readable line for each message, with its context', () => {
    const { output, logger } = readableLog();
    logger.log('listening on http://127.0.0.1:3000', 'main');
    logger.warn('authentication is off', 'auth');
    logger.debug('not at this level', 'main');
    expect(output.join('')).toMatch(
      /^\d\d:\d\d:\d\d info listening on http:\/\/127\.0\.0\.1:3000\n\d\d:\d\d:\d\d warn auth: authentication is off\n$/,
    );
  });

  it('shows the ids of the call that a line is about', () => {
    const { output, logger } = readableLog();
    logger.warn('refused', { requestId: 'r-1' }, 'calls');
    logger.warn('refused', { requestId: 'r-2', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' }, 'calls');
    expect(output.map((line) => line.slice(9))).toEqual([
      'warn calls: refused [request r-1]\n',
      'warn calls: refused [request r-2, trace 4bf92f3577b34da6a3ce929d0e0e4736]\n',
    ]);
  });

  it('shows the stack of an error', () => {
    const { output, logger } = readableLog();
    const error = new Error('broken');
    logger.error(error, 'main');
    expect(output.join('').slice(9)).toBe(`error broken\n${error.stack}\n`);
  });
});
