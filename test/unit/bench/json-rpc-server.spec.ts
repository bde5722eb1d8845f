import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { tryOut } from '../../../bench/goals/compare';
import { openLoop } from '../../../bench/load/open-loop';
import { RpcClient, type Call } from '../../../bench/rpc-client';

const REPLY = '{"jsonrpc":"2.0","result":{"id":"t-1"},"id":1}';
const ALL = ['get', 'list', 'batch', 'json-rpc-batch', 'create'].map((name) => ({ name }));

describe('another JSON-RPC server', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  const urlOf = async (listener: RequestListener) => {
    server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/rpc`;
  };
  const serverWith = (replyTo: (call: Call | Call[]) => unknown) =>
    urlOf((request, response) => {
      void text(request).then((body) => response.end(JSON.stringify(replyTo(JSON.parse(body) as Call))));
    });
  const problemWith = (url: string, goals = ALL) =>
    tryOut(new RpcClient(url), goals).catch((error: Error) => error.message);
  const missing = (method: string) => (call: Call | Call[]) => {
    const reply = (one: Call) =>
      one.method === method ? { error: { code: -32601, message: 'Method not found' } } : { result: { id: 't-1' } };
    return Array.isArray(call) ? call.map(reply) : reply(call);
  };

  it('is fit if it has the methods', async () => {
    expect(await problemWith(await serverWith(missing('task.delete')))).toBeUndefined();
  });

  it('is said to lack a method, unless no goal needs it', async () => {
    const url = await serverWith(missing('task.get_attachments_batch'));
    expect(await problemWith(url)).toBe(`${url} has no method task.get_attachments_batch`);
    expect(await problemWith(url, [{ name: 'get' }])).toBeUndefined();
  });

  it('is said to refuse a call, with its own words', async () => {
    const url = await serverWith(() => ({ error: { code: -32002, message: 'Unauthorized' } }));
    expect(await problemWith(url)).toBe(`${url} refuses task.create: Unauthorized (-32002)`);
  });

  it('is said not to take batches of JSON-RPC', async () => {
    const url = await serverWith((call) =>
      Array.isArray(call) ? { error: { code: -32600 } } : { result: { id: 't' } },
    );
    expect(await problemWith(url)).toBe(`${url} does not take batches of JSON-RPC`);
  });

  it('is said not to speak JSON', async () => {
    const url = await urlOf((_, response) => response.writeHead(404).end('<html>'));
    expect(await problemWith(url)).toBe(`${url} replies with status 404 and without JSON`);
  });

  it('is said not to be reached', async () => {
    const url = await serverWith(() => ({}));
    server?.close();
    expect(await problemWith(url)).toMatch(/^http\S+ cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
  });

  it('delays all requests that are due while it stops, not only the one that it has', async () => {
    let stopMs = 100;
    const url = await urlOf((_, response) => {
      setTimeout(() => response.end(REPLY), stopMs);
      stopMs = 0;
    });
    const tasks = { small: { ids: ['t-1'], keys: ['k'] } };
    const run = { endpoint: { urls: [url] }, workload: 'get', dataset: { tasks }, durationSeconds: 0.1 } as const;
    const result = await openLoop({ ...run, connections: 1 }, url, 1000);
    expect(result).toMatchObject({ requests: 100, failures: 0 });
    expect(result.p50Ms).toBeGreaterThan(40);
  });
});
