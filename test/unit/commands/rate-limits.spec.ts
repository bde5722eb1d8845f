import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EXIT } from '../../../src/commands/exit-code';
import { resetRateLimits } from '../../../src/commands/remote/rate-limits';

describe('dossier rate-limits reset', () => {
  let replica: Server;
  let url: string;
  let answer: { status: number; body: object };
  let printed: string;

  beforeEach(async () => {
    printed = '';
    jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    });
    jest.replaceProperty(process, 'env', { ...process.env, DOSSIER_OPERATOR_KEY: 'key' });
    replica = createServer((_request, response) =>
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body)),
    );
    await new Promise<void>((resolve) => replica.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(replica.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    jest.restoreAllMocks();
    replica.closeAllConnections();
    replica.close();
  });

  const reset = () => resetRateLimits('key:a', { url, timeout: 10, yes: true });

  it('leaves one line on the standard error about what it has done', async () => {
    answer = { status: 200, body: { caller: 'key:a', methods: ['task.list'] } };
    await reset();
    expect(JSON.parse(printed)).toMatchObject({
      context: 'operator',
      msg: expect.stringMatching(/: rate-limits reset: lets key:a call every limited method as if /) as unknown,
    });
  });

  it.each([
    ['refuses', 400, { detail: 'method must be one that is limited here' }, EXIT.refused],
    ['does not take the key', 401, {}, EXIT.refused],
    ['has not reached Redis', 503, { detail: 'Only this replica has reset them' }, EXIT.unavailable],
  ])('leaves no such line if the replica %s', async (_what, status, body, exitCode) => {
    answer = { status, body };
    await expect(reset()).rejects.toMatchObject({ exitCode });
    expect(printed).toBe('');
  });

  it('leaves no such line if the replica cannot be reached', async () => {
    await new Promise((resolve) => replica.close(resolve));
    await expect(reset()).rejects.toMatchObject({ exitCode: EXIT.unavailable });
    expect(printed).toBe('');
  });
});
