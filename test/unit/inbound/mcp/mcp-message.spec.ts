import { completed } from '../../../../src/inbound/json-rpc/json-scanner';
import { parseMessage } from '../../../../src/inbound/json-rpc/parse-message';
import { McpMessage } from '../../../../src/inbound/mcp/mcp-message';

const wide = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, i]));

function messageOf(params: object): McpMessage {
  const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  expect(text.length).toBeGreaterThan(16 * 1024);
  return McpMessage.from(completed(parseMessage(text)), text);
}

/** How often properties were defined one by one: that takes most of the time that a large message may take. */
function definedBy(work: () => unknown): number {
  const define = jest.spyOn(Object, 'defineProperty');
  try {
    work();
    return define.mock.calls.length;
  } finally {
    define.mockRestore();
  }
}

describe('a large message of MCP', () => {
  const filler = 'x'.repeat(12_000);

  it('has small members that are parsed as those of a small message', () => {
    const message = messageOf({ name: 'task__list', arguments: wide(900), _meta: { ...wide(200), filler } });
    expect(message.forSdk).toEqual({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'task__list', arguments: {}, _meta: { ...wide(200), filler } },
    });
    expect(message.toolArguments.values).toEqual(wide(900));
    expect(message.toolArguments.textOf('m5')).toBe('5');
  });

  it('is looked at without an accessor for each of a thousand names', () => {
    const refused = () => messageOf({ name: 'task__list', arguments: wide(990), _meta: wide(990) });
    expect(definedBy(() => expect(refused).toThrow('Invalid Request'))).toBeLessThan(50);
    const taken = () => messageOf({ name: 'task__list', arguments: wide(990), _meta: { filler } }).toolArguments;
    expect(definedBy(taken)).toBeLessThan(50);
  });

  it('has large arguments that are outlined', () => {
    const message = messageOf({ name: 'task__create', arguments: { text: 'x'.repeat(20_000) } });
    expect(message.toolArguments.byName('text')).toBe('x'.repeat(20_000));
    expect(message.toolArguments.textOf('text')).toHaveLength(20_002);
  });
});
