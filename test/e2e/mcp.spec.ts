import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { METHODS } from '../../src/inbound/methods/method-descriptions';
import { checkOutcome } from '../support/described-replies';
import { startService, type Members, type Service } from '../support/service';

const ROLES = ['read', 'write', 'admin'] as const;
type Role = (typeof ROLES)[number];
const VERSIONS = ['2025-11-25', '2026-07-28'] as const;
const FORBIDDEN = { code: -32004, message: 'Forbidden', data: { code: 'FORBIDDEN', neededRole: 'admin' } };

const folder = mkdtempSync(join(tmpdir(), 'dossier-mcp-'));
let service: Service;

beforeAll(async () => {
  const entries = ROLES.map((role) => {
    const sha256 = createHash('sha256').update(role).digest('hex');
    return { id: role, name: role, organization: 'acme', role, sha256 };
  });
  const API_KEYS_FILE = join(folder, 'keys.json');
  writeFileSync(API_KEYS_FILE, JSON.stringify(entries));
  const settings = { MCP_ALLOW_TASK_DELETE: 'on', RATE_LIMITS: 'task.list=3/60s', MAX_REPLY_BYTES: '190000' };
  service = await startService({ DATABASE_URL: 'memory', API_KEYS_FILE, ...settings });
});
afterAll(async () => {
  await service?.kill();
  rmSync(folder, { recursive: true });
});

/** The SDK's client; it compares each result with the schema of its tool. */
async function connect(role: Role, version: (typeof VERSIONS)[number] = '2026-07-28'): Promise<Client> {
  const negotiation = version === '2026-07-28' ? { versionNegotiation: { mode: { pin: version } } } : {};
  const client = new Client({ name: 'test', version: '1' }, negotiation);
  const requestInit = { headers: { 'x-api-key': role } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${service.url}/mcp`), { requestInit }));
  await client.listTools();
  return client;
}

/** The result of a tool, which is as its method is described. Throws if the call has failed. */
async function resultOf(client: Client, method: string, args: Members): Promise<Members> {
  const { isError, content, structuredContent } = await client.callTool({
    name: method.replace('.', '__'),
    arguments: args,
  });
  if (isError) throw new Error(`${method} was refused: ${JSON.stringify(content)}`);
  checkOutcome(method, { result: structuredContent });
  return structuredContent as Members;
}

async function failureOf(client: Client, method: string, args: Members): Promise<unknown> {
  const { isError, content } = await client.callTool({ name: method.replace('.', '__'), arguments: args });
  expect(isError).toBe(true);
  const error = JSON.parse((content as { text: string }[])[0]!.text) as { code: number; message: string };
  checkOutcome(method, { error });
  return error;
}

describe.each(VERSIONS)('a client of MCP %s', (version) => {
  const taskId = `task-${version}`;
  let client: Client;

  beforeAll(async () => void (client = await connect('admin', version)));
  afterAll(() => client?.close());

  it('calls every tool', async () => {
    const called = new Set<string>();
    const call = (method: string, args: Members) => {
      called.add(method);
      return resultOf(client, method, args);
    };
    expect(await call('task.create', { id: taskId, text: 'a task' })).toMatchObject({ id: taskId, status: 'pending' });
    const attachment = { taskId, key: 'a', type: 'json', value: { n: [1, null] } };
    expect(await call('task.create_attachment', attachment)).toMatchObject({ key: 'a', replaced: false });
    const ref = { taskId, key: 'a' };
    expect(await call('task.get_attachment', ref)).toMatchObject({ ...attachment, createdBy: 'admin' });
    expect(await call('task.list_attachments', { taskId })).toMatchObject({ attachments: [attachment], totalCount: 1 });
    const requests = [ref, { taskId, key: 'missing' }];
    const batch = await call('task.get_attachments_batch', { requests, allowMissing: true });
    expect(batch).toMatchObject({ attachments: [attachment, null] });
    expect(await call('task.delete_attachment', ref)).toMatchObject({ key: 'a', deleted: true });
    expect(await call('task.update', { taskId, updates: { priority: 7 } })).toMatchObject({ priority: 7 });
    expect(await call('task.get', { taskId })).toMatchObject({ priority: 7, attachmentCount: 0 });
    expect(await call('task.list', {})).toMatchObject({ totalCount: 1 });
    expect(await call('task.usage', {})).toMatchObject({ tasks: 1, attachments: 0, limits: {} });
    expect(await call('task.complete', { taskId, result: 1 })).toMatchObject({ status: 'completed' });
    expect(await call('task.cancel', { taskId })).toMatchObject({ status: 'completed' });
    expect(await call('task.delete', { taskId })).toMatchObject({ id: taskId, deleted: true });
    expect([...called].sort()).toEqual(METHODS.map(({ name }) => name).sort());
  });
});

describe('a caller of MCP', () => {
  it('without a credential is refused with 401, and is told how to prove its identity', async () => {
    const client = new Client({ name: 'test', version: '1' });
    const refused = client.connect(new StreamableHTTPClientTransport(new URL(`${service.url}/mcp`)));
    await expect(refused).rejects.toThrow(/401|Unauthorized/);
    const { status, headers } = await service.fetch('/mcp', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    expect([status, headers.get('www-authenticate')]).toEqual([401, 'ApiKey realm="dossier", Bearer realm="dossier"']);
  });

  it('sees the tools of its role, and may call no others', async () => {
    const count: Record<string, number> = {};
    for (const role of ROLES) {
      const client = await connect(role);
      count[role] = (await client.listTools()).tools.length;
      if (role !== 'admin') expect(await failureOf(client, 'task.delete', { id: 'x' })).toEqual(FORBIDDEN);
      await client.close();
    }
    expect(count).toEqual({ read: 6, write: METHODS.length - 1, admin: METHODS.length });
  });

  it('uses up the limits of its calls over JSON-RPC, too', async () => {
    const client = await connect('write');
    await service.result('task.list', {}, { 'x-api-key': 'write' });
    for (let i = 0; i < 2; i++) await resultOf(client, 'task.list', {});
    expect(await failureOf(client, 'task.list', {})).toMatchObject({ code: -32000, data: { limit: 3 } });
    expect((await service.error('task.list', {}, { 'x-api-key': 'write' })).code).toBe(-32000);
    await client.close();
  });

  it('reads large bodies as resources, and is told what to do if a reply has no room for a result', async () => {
    const client = await connect('write');
    await resultOf(client, 'task.create', { id: 'large', text: 'x' });
    for (const key of ['a', 'b', 'c']) {
      await resultOf(client, 'task.create_attachment', {
        taskId: 'large',
        key,
        type: 'text',
        content: 'x'.repeat(66_000),
      });
    }
    expect(await failureOf(client, 'task.list_attachments', { taskId: 'large', limit: 3 })).toMatchObject({
      code: -32603,
      data: { code: 'REPLY_TOO_LARGE', maxReplyBytes: 190_000 },
    });
    const { content } = await client.callTool({
      name: 'task__list_attachments',
      arguments: { taskId: 'large', limit: 2 },
    });
    const links = (content as { uri: string; size: number }[]).slice(1);
    expect(links.map(({ uri, size }) => [uri, size])).toEqual([
      ['dossier://tasks/large/attachments/a', 66_000],
      ['dossier://tasks/large/attachments/b', 66_000],
    ]);
    const { contents } = await client.readResource({ uri: links[1]!.uri });
    expect(contents).toMatchObject([{ mimeType: 'text/plain', text: 'x'.repeat(66_000) }]);
    await client.close();
  });

  it('is counted as a caller over HTTP', async () => {
    const { text } = await service.fetch('/metrics');
    const calls = 'dossier_request_duration_seconds_count{method="task.cancel",transport="http",outcome="ok"} 2';
    expect(text).toContain(calls);
  });
});
