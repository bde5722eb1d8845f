import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EXIT } from '../../../src/commands/exit-code';
import { events } from '../../../src/commands/remote/events';
import { RemoteService } from '../../../src/commands/remote/remote-service';

let server: Server | undefined;

async function serve(respond: RequestListener): Promise<string> {
  server = createServer(respond).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => {
  jest.restoreAllMocks();
  server?.closeAllConnections();
  server?.close();
});

describe('a call from the command line', () => {
  const failureOf = async (status: number, body: object): Promise<unknown> => {
    const url = await serve((_, response) => response.writeHead(status).end(JSON.stringify(body)));
    return new RemoteService({ url, headers: {} }, 5000).call('task.get', '{}').catch((error: unknown) => error);
  };
  const rpc = (code: number, message: string, data: object) => ({ id: 1, error: { code, message, data } });

  it.each([
    [404, { message: 'Cannot POST /rpc/rpc', error: 'Not Found', statusCode: 404 }, EXIT.refused],
    [503, { error: { message: 'no backend' } }, EXIT.unavailable],
  ])('says that what came is no reply: %p %p', async (status, body, exitCode) => {
    const message = expect.stringMatching(new RegExp(`/rpc: status ${status}, and no JSON-RPC reply$`)) as string;
    expect(await failureOf(status, body)).toMatchObject({ message, exitCode });
  });

  it.each([
    [rpc(-32005, 'Conflict', { code: 'TASK_EXISTS', reason: 'it was used' }), 'Conflict (TASK_EXISTS): it was used'],
    [
      rpc(-32004, 'Forbidden', { code: 'FORBIDDEN', neededRole: 'admin' }),
      'Forbidden (FORBIDDEN): needs the role admin',
    ],
    [rpc(-32602, 'Task t not found', { code: 'TASK_NOT_FOUND' }), 'Task t not found (TASK_NOT_FOUND)'],
  ])('says why it was refused: %p', async (body, message) => {
    expect(await failureOf(200, body)).toMatchObject({ message, exitCode: EXIT.refused });
  });
});

describe('events on the command line', () => {
  it('have their positions with --json, and continue behind one of them', async () => {
    const asked: (string | undefined)[] = [];
    const data = '{"type":"task.updated","payload":{"priority":1.0}}';
    const url = await serve((request, response) => {
      asked.push(request.url);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`id: start\n\nid: first\nevent: task.updated\ndata: ${data}\n\n`);
    });
    let printed = '';
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    });
    await events({ url, json: true, limit: 1 });
    expect(printed).toBe('{"id":"first","type":"task.updated","payload":{"priority":1.0}}\n');
    await events({ url, json: true, limit: 1, since: (JSON.parse(printed) as { id: string }).id });
    expect(asked).toEqual(['/events', '/events?lastEventId=first']);
  });

  it.each([
    [401, { detail: 'Invalid or missing API key' }, 'Invalid or missing API key'],
    [400, { detail: [{ loc: ['query', 'lastEventId'], msg: 'is unknown' }] }, 'lastEventId: is unknown'],
    [404, { detail: { of: 'another service' } }, '{"detail":{"of":"another service"}}'],
    [404, null, 'null'],
  ])('say why they were refused, in words: %p %p', async (status, body, reason) => {
    const url = await serve((_, response) => response.writeHead(status).end(JSON.stringify(body)));
    const message = `${url}/events: status ${status} ${reason}`;
    await expect(events({ url })).rejects.toMatchObject({ message, exitCode: EXIT.refused });
  });
});
