import { Logger } from '@nestjs/common';
import type { CallOrigin } from '../../../../src/inbound/json-rpc/call-context';
import { completed, type Steps } from '../../../../src/inbound/json-rpc/json-scanner';
import { McpMessage } from '../../../../src/inbound/mcp/mcp-message';
import { McpOptions } from '../../../../src/inbound/mcp/mcp-options';
import { McpServer } from '../../../../src/inbound/mcp/mcp-server';
import { ByteBudget } from '../../../../src/inbound/load/byte-budget';

const HEADERS = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' });
const ORIGIN: CallOrigin = {
  transport: 'http',
  peer: '127.0.0.1',
  ids: { requestId: 'request-1' },
  identity: { caller: { organization: 'default', name: 'a' }, role: 'admin' },
};

async function reply(result: string, method: string, params: object, origin = ORIGIN): Promise<unknown> {
  const take = <T>(work: Steps<T>) => Promise.resolve().then(() => completed(work));
  const runner = { run: () => Promise.resolve({ result }), take, maxReplyBytes: 1_000_000 };
  const server = await McpServer.open(runner, new McpOptions('1.2.3', false));
  const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const { text: replyText } = await server.answer(McpMessage.from(JSON.parse(text), text), origin, HEADERS);
  return JSON.parse(replyText as string) as unknown;
}

describe('the MCP server', () => {
  beforeAll(() => void Logger.overrideLogger(false));

  it('tells its caller nothing of an error that the code does not foresee', async () => {
    const error = { code: -32603, message: 'Internal error', data: { code: 'INTERNAL_ERROR' } };
    const uri = 'dossier://tasks/a/attachments/b';
    expect(await reply('{"type":secret', 'resources/read', { uri })).toMatchObject({ error });
    const large = `{"attachments":[{"content":secret${' '.repeat(70_000)}}]}`;
    const call = { name: 'task__list_attachments', arguments: {} };
    expect(await reply(large, 'tools/call', call)).toMatchObject({ error });
  });

  it('reserves the bytes of a reply, which has the result twice, for the caller', async () => {
    const budget = new ByteBudget(100_000);
    const result = JSON.stringify({ id: 'x'.repeat(30_000) });
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
});
