import { Logger } from '@nestjs/common';
import { JsonText } from '../../../../src/core/domain/json-text';
import type { CallOrigin } from '../../../../src/inbound/json-rpc/call-context';
import type { Steps } from '../../../../src/inbound/json-rpc/json-scanner';
import { writeJson } from '../../../../src/inbound/json-rpc/json-writer';
import type { MethodRunner } from '../../../../src/inbound/mcp/mcp-exchange';
import { McpMessage } from '../../../../src/inbound/mcp/mcp-message';
import { McpOptions } from '../../../../src/inbound/mcp/mcp-options';
import { McpServer } from '../../../../src/inbound/mcp/mcp-server';
import { Tools } from '../../../../src/inbound/mcp/tools';
import { overloaded } from '../../../../src/inbound/json-rpc/json-rpc-error';
import { ByteBudget } from '../../../../src/inbound/load/byte-budget';

const HEADERS = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' });
/** What was done at the expense of the caller. */
let steps = 0;

function completed<T>(work: Steps<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    steps += 1;
  }
}

const take = <T>(work: Steps<T>) => Promise.resolve().then(() => completed(work));

const ORIGIN: CallOrigin = {
  transport: 'http',
  peer: '127.0.0.1',
  ids: { requestId: 'request-1' },
  identity: { caller: { organization: 'default', name: 'a' }, role: 'admin' },
};

/** `value` is what the method returns. */
async function reply(
  value: () => object,
  method: string,
  params: object,
  origin = ORIGIN,
  pay: MethodRunner['pay'] = () => Promise.resolve(),
): Promise<unknown> {
  const runner: MethodRunner = {
    run: async (_call, _origin, presentation) => {
      await Promise.resolve();
      return { result: writeJson(completed(presentation.show(value()))) };
    },
    take,
    pay,
    maxReplyBytes: 10_000_000,
  };
  const server = await McpServer.open(runner, new McpOptions('1.2.3', false));
  const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const { text: replyText } = await server.answer(McpMessage.from(JSON.parse(text), text), origin, HEADERS);
  return JSON.parse(replyText as string) as unknown;
}

describe('the MCP server', () => {
  beforeEach(() => void (steps = 0));
  beforeAll(() => void Logger.overrideLogger(false));

  it('tells its caller nothing of an error that the code does not foresee', async () => {
    const error = { code: -32603, message: 'Internal error', data: { code: 'INTERNAL_ERROR' } };
    const uri = 'dossier://tasks/a/attachments/b';
    const fail = () => {
      throw new Error('secret');
    };
    expect(await reply(fail, 'resources/read', { uri })).toMatchObject({ error });
    const call = { name: 'task__list_attachments', arguments: {} };
    expect(await reply(fail, 'tools/call', call)).toMatchObject({ error });
  });

  it('reserves the bytes of a reply, which has the result twice, for the caller', async () => {
    const budget = new ByteBudget(100_000);
    const result = () => ({ id: 'x'.repeat(30_000) });
    const call = { name: 'task__get', arguments: {} };
    const reservation = budget.open('a');
    expect(await reply(result, 'tools/call', call, { ...ORIGIN, reservation })).toMatchObject({
      result: { structuredContent: { id: 'x'.repeat(30_000) } },
    });
    const refused = await reply(result, 'tools/call', call, { ...ORIGIN, reservation });
    expect(refused).toMatchObject({ result: { isError: true } });
    expect(JSON.stringify(refused)).toContain('OVERLOADED');
    reservation.end();
  });

  it('writes a large result in steps at the expense of the caller, and the SDK never sees it', async () => {
    const tasks = Array.from({ length: 100 }, (_, i) => ({
      id: `t-${i}`,
      metadata: JsonText.of({ a: 'ä"'.repeat(2000) }),
    }));
    const stringify = jest.spyOn(JSON, 'stringify');
    const { result } = (await reply(() => ({ tasks }), 'tools/call', { name: 'task__list', arguments: {} })) as {
      result: { content: { text: string }[]; structuredContent: { tasks: unknown[] } };
    };
    const lengths = stringify.mock.results.map((one) => String(one.value).length);
    stringify.mockRestore();
    expect(Math.max(...lengths)).toBeLessThan(300_000);
    expect(steps).toBeGreaterThan(3);
    expect(result.structuredContent.tasks).toHaveLength(100);
    expect(JSON.parse(result.content[0]!.text)).toEqual(result.structuredContent);
  });

  it('refuses a result of more than 1 MiB, in bytes, with how to ask for less', async () => {
    const call = { name: 'task__get', arguments: {} };
    const large = await reply(() => ({ text: 'ä'.repeat(530_000) }), 'tools/call', call);
    expect(large).toMatchObject({ result: { isError: true } });
    const { result } = large as { result: { content: { text: string }[] } };
    expect(JSON.parse(result.content[0]!.text)).toMatchObject({
      code: -32603,
      data: {
        code: 'REPLY_TOO_LARGE',
        maxReplyBytes: 1_048_576,
        reason: expect.stringContaining('a smaller limit') as string,
      },
    });
    const allowed = await reply(() => ({ text: 'ä'.repeat(520_000) }), 'tools/call', call);
    expect(allowed).toMatchObject({ result: { structuredContent: { text: 'ä'.repeat(520_000) } } });
  });

  it('lists the tools of a role, which are written once, and the SDK never sees them', async () => {
    const none = () => ({});
    const first = await reply(none, 'tools/list', {});
    const tools = new Tools({ allowsTaskDeletion: false });
    expect(first).toMatchObject({ result: { tools: tools.for('admin') } });
    tools.listFor('admin');
    const stringify = jest.spyOn(JSON, 'stringify');
    expect(JSON.parse(tools.listFor('admin'))).toEqual(tools.for('admin'));
    const lengths = stringify.mock.results.map((one) => String(one.value).length);
    stringify.mockRestore();
    expect(Math.max(0, ...lengths)).toBe(0);
    const budget = new ByteBudget(10_000);
    const refused = await reply(none, 'tools/list', {}, { ...ORIGIN, reservation: budget.open('a') });
    expect(refused).toMatchObject({ error: { data: { code: 'OVERLOADED' } } });
  });

  it('takes what the SDK costs from the caller before it is asked', async () => {
    const paid: number[] = [];
    const pay = (tookMs: number) => Promise.resolve(void paid.push(tookMs));
    await reply(() => ({}), 'tools/list', {}, ORIGIN, pay);
    await reply(() => ({}), 'resources/list', {}, ORIGIN, pay);
    expect(paid).toHaveLength(2);
    expect(Math.min(...paid)).toBeGreaterThan(0);
    const late = reply(
      () => ({}),
      'tools/list',
      {},
      ORIGIN,
      () => Promise.reject(overloaded()),
    );
    await expect(late).rejects.toMatchObject({ data: { code: 'OVERLOADED' } });
  });

  it('writes the contents of a resource once', async () => {
    const uri = 'dossier://tasks/a/attachments/b';
    const content = '"text":"" \n'.repeat(50_000);
    const attachment = () => ({ taskId: 'a', key: 'b', type: 'text', content, version: 7 });
    const stringify = jest.spyOn(JSON, 'stringify');
    const read = await reply(attachment, 'resources/read', { uri });
    const large = stringify.mock.results.filter((one) => String(one.value).length > 100_000);
    stringify.mockRestore();
    expect(large).toHaveLength(1);
    expect(read).toMatchObject({
      result: { contents: [{ uri, mimeType: 'text/plain', text: content, _meta: { version: 7 } }] },
    });
  });
});
