import { exchange } from '../support/raw-http';
import type { RpcReply, Service } from '../support/service';
import { startEmbedded } from './support/start-embedded';

const TASK = 'bytes';
const MEBIBYTE = 1024 * 1024;

/**
 * What clients without an npm package put on the wire for `task.get` of one task. `id` is how the reply has to spell
 * the id.
 */
const REQUESTS: readonly { client: string; headers: readonly string[]; body: string; id: string }[] = [
  {
    client: 'JSON::RPC2::Client of Perl',
    headers: ['Content-Type: application/json', 'User-Agent: libwww-perl/6.72'],
    body: `{"jsonrpc":"2.0","method":"task.get","params":{"id":"${TASK}"},"id":0}`,
    id: '0',
  },
  {
    client: 'JSON::RPC::Legacy::Client of Perl',
    headers: ['Content-Type: application/json; charset=utf8', 'TE: deflate,gzip;q=0.3', 'Connection: TE, close'],
    body: `{"version":"2.0","jsonrpc":"2.0","params":[{"id":"${TASK}"}],"method":"task.get","id":"1"}`,
    id: '"1"',
  },
  {
    client: 'jsonrpclib-pelix of Python',
    headers: [
      'Content-Type: application/json-rpc',
      'User-Agent: jsonrpclib/0.4.3 (Python 3.11)',
      'Accept-Encoding: gzip',
    ],
    body: `{"jsonrpc": "2.0", "method": "task.get", "params": {"id": "${TASK}"}, "id": "8d2ff2f0-3a3f-4f0e-9f43-2ddf4b2f2b11"}`,
    id: '"8d2ff2f0-3a3f-4f0e-9f43-2ddf4b2f2b11"',
  },
  {
    client: 'urllib of Python',
    headers: ['Content-Type: application/json', 'User-Agent: Python-urllib/3.11', 'Accept-Encoding: identity'],
    body: `{"jsonrpc": "2.0", "id": 1, "method": "task.get", "params": {"id": "${TASK}"}}`,
    id: '1',
  },
  {
    client: 'fguillot/json-rpc of PHP',
    headers: ['User-Agent: JSON-RPC PHP Client', 'Content-Type: application/json', 'Accept: application/json'],
    body: `{"jsonrpc":"2.0","method":"task.get","id":1482398174,"params":{"id":"${TASK}"}}`,
    id: '1482398174',
  },
  {
    client: 'datto/json-rpc-http of PHP',
    headers: ['Accept: application/json', 'Content-Type: application/json', 'Connection: close'],
    body: `{"jsonrpc":"2.0","id":1,"method":"task.get","params":{"id":"${TASK}"}}`,
    id: '1',
  },
  {
    client: 'ybbus/jsonrpc of Go',
    headers: ['User-Agent: Go-http-client/1.1', 'Accept: application/json', 'Content-Type: application/json'],
    body: `{"method":"task.get","params":[{"id":"${TASK}"}],"id":0,"jsonrpc":"2.0"}`,
    id: '0',
  },
  {
    client: 'gorilla/rpc of Go',
    headers: ['User-Agent: Go-http-client/1.1', 'Content-Type: application/json;charset=UTF-8'],
    body: `{"jsonrpc":"2.0","method":"task.get","params":{"id":"${TASK}"},"id":5577006791947779410}\n`,
    id: '5577006791947779410',
  },
  {
    client: 'jsonrpc4j of Java',
    headers: ['Content-Type: application/json-rpc; charset=UTF-8', 'Accept: application/json-rpc'],
    body: `{"id":"1290283091","jsonrpc":"2.0","method":"task.get","params":{"id":"${TASK}"}}`,
    id: '"1290283091"',
  },
  {
    client: 'StreamJsonRpc of .NET',
    headers: ['Content-Type: application/json; charset="utf-8"'],
    body: `{"jsonrpc":"2.0","id":2,"method":"task.get","params":{"taskId":"${TASK}"}}`,
    id: '2',
  },
  {
    client: 'curl with the id null',
    headers: ['User-Agent: curl/7.88.1', 'Accept: */*', 'Content-Type: application/json'],
    body: `{"jsonrpc":"2.0","method":"task.get","params":{"id":"${TASK}"},"id":null}`,
    id: 'null',
  },
];

let service: Service;

beforeAll(async () => {
  service = await startEmbedded();
  await service.result('task.create', { id: TASK, text: 'задача' });
});
afterAll(() => service?.kill());

/** The JSON text of the reply. */
async function send(headers: readonly string[], body: string): Promise<string> {
  const fixed = ['Host: localhost', `Content-Length: ${Buffer.byteLength(body)}`];
  const own = headers.some((header) => header.startsWith('Connection:')) ? headers : [...headers, 'Connection: close'];
  const reply = await exchange(service.url, `POST /rpc HTTP/1.1\r\n${[...fixed, ...own].join('\r\n')}\r\n\r\n${body}`);
  expect(reply).toMatch(/^HTTP\/1\.1 200 /);
  return reply.slice(reply.indexOf('\r\n\r\n') + 4);
}

const JSON_TYPE = ['Content-Type: application/json'];
const call = (method: string, params: string) =>
  send(JSON_TYPE, `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`);

describe('the bytes that real clients send', () => {
  it.each(REQUESTS)('as $client does are understood', async ({ headers, body, id }) => {
    const text = await send(headers, body);
    expect(JSON.parse(text)).toMatchObject({ jsonrpc: '2.0', result: { id: TASK, text: 'задача' } });
    expect(text.endsWith(`"id":${id}}`)).toBe(true);
  });

  it.each([
    'application/json',
    'application/json; charset=utf8',
    'application/json;charset=UTF-8',
    'application/json; charset="utf-8"',
    'application/json; charset=us-ascii',
    'application/json; charset=iso-8859-1',
    'application/json; boundary=x',
    'application/json-rpc',
    'application/json-rpc; charset=utf8',
    'application/jsonrequest',
  ])('with the content type %s are JSON', async (type) => {
    const text = await send(
      [`Content-Type: ${type}`],
      `{"jsonrpc":"2.0","id":1,"method":"task.get","params":{"id":"${TASK}"}}`,
    );
    expect(JSON.parse(text)).toMatchObject({ result: { text: 'задача' } });
  });

  it.each(['null', '[]', '{}', '[{}]', '[{"limit":null}]'])('with the params %s have no parameter', async (params) => {
    expect(JSON.parse(await call('task.list', params))).toMatchObject({
      result: { totalCount: expect.any(Number) as unknown },
    });
  });

  it.each([`["${TASK}"]`, `[{"id":"${TASK}"},{}]`, `[[{"id":"${TASK}"}]]`, '[null]', '[1]'])(
    'with the params %s are refused: parameters have names',
    async (params) => {
      expect(JSON.parse(await call('task.get', params))).toMatchObject({
        error: { code: -32602, message: 'Invalid params' },
      });
    },
  );

  it('of json.dumps in Python, which escapes every character, may hold the largest text', async () => {
    const content = 'Ж'.repeat(MEBIBYTE / 2);
    const escaped = '\\u0416'.repeat(MEBIBYTE / 2);
    const created = await call(
      'task.create_attachment',
      `{"taskId": "${TASK}", "key": "\\u043a", "type": "text", "content": "${escaped}"}`,
    );
    expect(JSON.parse(created)).toMatchObject({ result: { key: 'к' } });
    const { result } = JSON.parse(await call('task.get_attachment', `{"taskId":"${TASK}","key":"к"}`)) as RpcReply;
    expect(result?.['content'] === content).toBe(true);
  });

  it.each(['1763683200000000001', '175928847299117063', '1e400', '-0', '1.0', '12345678901234567890.123456789'])(
    'hold the number %s, and get it back as it is spelt',
    async (number) => {
      const value = `{"n":${number},"list":[${number}]}`;
      await call('task.create_attachment', `{"taskId":"${TASK}","key":"n","type":"json","value":${value}}`);
      expect(await call('task.get_attachment', `{"taskId":"${TASK}","key":"n"}`)).toContain(`"value":${value}`);
    },
  );

  it('of a notification get 204 and no body', async () => {
    const body = `{"jsonrpc":"2.0","method":"task.get","params":[{"id":"${TASK}"}]}`;
    const { status, text } = await service.post(body);
    expect([status, text]).toEqual([204, '']);
  });
});
