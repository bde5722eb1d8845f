import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callParams } from '../../../src/commands/remote/call-params';
import { indented } from '../../../src/commands/remote/indented';
import { METHODS } from '../../../src/inbound/methods/method-descriptions';

const params = (name: string, ...words: string[]) => {
  const method = METHODS.find((one) => one.name === name);
  if (!method) throw new Error(`no method ${name}`);
  return callParams(method.params, words);
};

describe('the params of dossier call', () => {
  it.each([
    ['text', 'task.create', ['text=5', 'id=a=b'], '{"text":"5","id":"a=b"}'],
    ['text with quotes and line ends', 'task.create', ['text="a"\n\\'], '{"text":"\\"a\\"\\n\\\\"}'],
    ['an empty text', 'task.list_attachments', ['taskId=t', 'keyPrefix='], '{"taskId":"t","keyPrefix":""}'],
    ['numbers', 'task.list', ['limit=5', 'offset=1e1', 'priority=0'], '{"limit":5,"offset":1e1,"priority":0}'],
    ['booleans', 'task.list_attachments', ['includeBodies=false'], '{"includeBodies":false}'],
    ['null, for a number or a boolean that may be left out', 'task.list', ['limit=null'], '{"limit":null}'],
    ['a text that only looks like null', 'task.list', ['parentId=null'], '{"parentId":"null"}'],
    ['one word of several', 'task.list', ['status=pending'], '{"status":"pending"}'],
    ['several words', 'task.list', ['status=["pending","failed"]'], '{"status":["pending","failed"]}'],
    [
      'JSON, with its numbers as they are spelt',
      'task.create_attachment',
      ['value={"n": 12345678901234567890, "m":[1.0]}'],
      '{"value":{"n":12345678901234567890,"m":[1.0]}}',
    ],
    ['JSON for any parameter', 'task.list', ['parentId:=null', 'limit:= 5 '], '{"parentId":null,"limit":5}'],
    [
      'members of an object',
      'task.update',
      ['id=t', 'updates.priority=7', 'updates.metadata={"a":1}', 'updates.text=x'],
      '{"id":"t","updates":{"priority":7,"metadata":{"a":1},"text":"x"}}',
    ],
    ['nothing', 'task.list', [], '{}'],
  ])('are %s', (_, method, words, json) => {
    expect(params(method, ...words)).toBe(json);
  });

  it.each([
    ['a text in the place of a number', 'task.list', ['limit=abc'], '{"limit":"abc"}'],
    ['a number that JSON does not know', 'task.list', ['limit=0x10'], '{"limit":"0x10"}'],
    ['a text in the place of a boolean', 'task.list_attachments', ['includeBodies=yes'], '{"includeBodies":"yes"}'],
    ['a parameter that the method does not have', 'task.list', ['limitt=5'], '{"limitt":"5"}'],
  ])('that are wrong go to the service, which names them: %s', (_, method, words, json) => {
    expect(params(method, ...words)).toBe(json);
  });

  it.each([
    ['task.get', ['id'], '"id" must be name=value'],
    ['task.get', ['=x'], '"=x" must be name=value'],
    ['task.get', ['id=a', 'id=b'], 'id: is given twice'],
    ['task.update', ['updates={}', 'updates.text=x'], 'updates.text: updates is given as a whole, too'],
    ['task.update', ['updates.text=x', 'updates={}'], 'updates: is given twice'],
    ['task.create_attachment', ['value={"a":'], 'value: must be JSON'],
    ['task.create_attachment', ['value=abc'], 'value: must be JSON'],
    ['task.list', ['limit:=abc'], 'limit: must be JSON'],
    ['task.create_attachment', ['content=@/no/such/file'], 'content: ENOENT'],
  ])('that cannot be read are refused by their names: %s %p', (method, words, message) => {
    expect(() => params(method, ...words)).toThrow(message);
  });

  it('may be the content of a file, as text or as JSON', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dossier-params-'));
    try {
      writeFileSync(join(folder, 'a.json'), '{"a": 1}\n');
      const words = [`content=@${folder}/a.json`, `value:=@${folder}/a.json`];
      expect(params('task.create_attachment', ...words)).toBe('{"content":"{\\"a\\": 1}\\n","value":{"a":1}}');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('indented', () => {
  it('is what JSON.stringify does, except that numbers keep their spelling', () => {
    const value = { a: [1, [], {}, { b: null }], 'c"': 'x,{}[]"', d: false };
    expect(indented(JSON.stringify(value))).toBe(JSON.stringify(value, undefined, 2));
    expect(indented('[12345678901234567890,1.0]')).toBe('[\n  12345678901234567890,\n  1.0\n]');
  });
});
