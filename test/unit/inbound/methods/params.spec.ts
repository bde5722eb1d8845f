import { DomainError, type FieldError } from '../../../../src/core/domain/domain-error';
import { JsonText } from '../../../../src/core/domain/json-text';
import { CoreSettings } from '../../../../src/core/ports/core-settings';
import {
  AttachmentRefParams,
  CreateAttachmentParams,
  DeleteAttachmentParams,
  GetAttachmentsBatchParams,
  ListAttachmentsParams,
} from '../../../../src/inbound/methods/attachments.params';
import { ParamsPipe } from '../../../../src/inbound/methods/params.pipe';
import { outline } from '../../../../src/inbound/json-rpc/json-outline';
import { completed } from '../../../../src/inbound/json-rpc/json-scanner';
import { RawParams } from '../../../../src/inbound/json-rpc/raw-params';
import {
  CompleteTaskParams,
  CreateTaskParams,
  ListTasksParams,
  TaskIdParams,
  UpdateTaskParams,
} from '../../../../src/inbound/methods/tasks.params';

const MAX_ATTACHMENT_BYTES = 1000;
const pipe = new ParamsPipe(new CoreSettings('replica-1', MAX_ATTACHMENT_BYTES, 1000));

type Read = (text: string) => unknown;
/** A message with so many names or objects would be refused before. */
const MAX_OUTLINED = 500_000;

/** Checks that the params of a large message are bound as those of a small one are. */
function bindText<T>(declared: new () => T, text: string): T {
  const bindRead = (read: Read) => {
    const raw = new RawParams(read(text) as RawParams['values'], () => text);
    return outcomeOf(() => pipe.transform(raw, { type: 'body', metatype: declared }) as T);
  };
  const bound = bindRead(JSON.parse);
  if (text.length < MAX_OUTLINED) expect(bindRead((outlined) => completed(outline(outlined)))).toEqual(bound);
  if ('error' in bound) throw bound.error;
  return bound.value;
}

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

function outcomeOf<T>(work: () => T): Outcome<T> {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

function bind<T>(declared: new () => T, params: unknown): T {
  return bindText(declared, JSON.stringify(params));
}

function problemsOfText(declared: new () => unknown, text: string): readonly FieldError[] {
  try {
    bindText(declared, text);
  } catch (error) {
    if (error instanceof DomainError && error.refusal.kind === 'invalid') return error.refusal.errors;
    throw error;
  }
  return [];
}

function wrongFields(declared: new () => unknown, params: unknown): string[] {
  return problemsOfText(declared, JSON.stringify(params)).map(({ field }) => field);
}

const nested = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;

const ref = { taskId: 't-1', key: 'k' };
const text = { ...ref, type: 'text', content: 'x' };

describe('params', () => {
  it('an array of params is refused', () => {
    expect(wrongFields(AttachmentRefParams, ['t-1', 'k'])).toEqual(['params']);
  });

  it('a refusal names every wrong field at once', () => {
    const params = {
      taskId: 'a b',
      key: '',
      type: 'text',
      content: 5,
      size: '1',
      ttlSeconds: 0,
      oops: 1,
      mimeType: 'x',
    };
    const fields = wrongFields(CreateAttachmentParams, params);
    expect(fields.sort()).toEqual(['content', 'key', 'mimeType', 'oops', 'size', 'taskId', 'ttlSeconds']);
  });

  it('a task without a text is told how long one may be', () => {
    const message = 'must be a string of 1 to 500 characters';
    expect(problemsOfText(CreateTaskParams, '{}')).toEqual([{ field: 'text', message }]);
    expect(problemsOfText(UpdateTaskParams, '{"id":"t","updates":{"text":5}}')).toEqual([
      { field: 'updates.text', message },
    ]);
  });

  it('a refusal names a field once', () => {
    expect(problemsOfText(AttachmentRefParams, '{"key":5}')).toEqual([
      { field: 'taskId', message: 'must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -' },
      { field: 'key', message: 'must be a string of 1 to 100 characters' },
    ]);
  });

  it.each([
    ['__proto__', ''],
    ['constructor', ''],
    ['toString', ''],
    ['prototype', ''],
    ['toCommand', ''],
    ['problems', ''],
    ['', ''],
    ['Key', ', did you mean key?'],
    ['ifabsent', ', did you mean ifAbsent?'],
  ])('the unknown name %j is refused, and prototypes are left alone', (name, suggestion) => {
    const given = `{"taskId":"t-1","key":"k","type":"text","content":"x",${JSON.stringify(name)}:{"polluted":true}}`;
    const problems = problemsOfText(CreateAttachmentParams, given);
    expect(problems).toEqual([{ field: name, message: `is not a parameter of this method${suggestion}` }]);
    expect('polluted' in {}).toBe(false);
  });

  it('null counts as a parameter that was left out', () => {
    const created = { ...ref, type: 'json', value: 1 };
    const whole = bind(CreateAttachmentParams, created).toCommand();
    for (const name of ['content', 'url', 'mimeType', 'size', 'ttlSeconds', 'ifAbsent', 'ifVersion']) {
      expect(bind(CreateAttachmentParams, { ...created, [name]: null }).toCommand()).toEqual(whole);
    }
    const defaults = bind(ListAttachmentsParams, { taskId: 't' });
    for (const name of ['type', 'keyPrefix', 'includeBodies', 'limit', 'offset', 'order']) {
      expect(bind(ListAttachmentsParams, { taskId: 't', [name]: null })).toEqual(defaults);
    }
    expect(bind(GetAttachmentsBatchParams, { requests: [ref], allowMissing: null }).allowMissing).toBe(false);
    expect(bind(CreateTaskParams, { text: 'x', id: null, priority: null, metadata: null })).toEqual(
      bind(CreateTaskParams, { text: 'x' }),
    );
    const updates = { text: null, status: null, priority: 1, metadata: null };
    expect(bind(UpdateTaskParams, { id: 't', updates }).updates.toUpdates()).toEqual({ priority: 1 });
  });

  it('null is no substitute for a parameter that is required', () => {
    expect(wrongFields(AttachmentRefParams, { taskId: null, key: null })).toEqual(['taskId', 'key']);
    expect(wrongFields(CreateAttachmentParams, { ...ref, type: null })).toEqual(['type']);
    expect(wrongFields(GetAttachmentsBatchParams, { requests: null })).toEqual(['requests']);
    expect(wrongFields(UpdateTaskParams, { id: 't', updates: { text: null } })).toEqual(['updates']);
  });

  it('null is a value, and the absence of a parent', () => {
    expect(bind(CreateAttachmentParams, { ...ref, type: 'json', value: null }).value?.text).toBe('null');
    expect(bind(CreateTaskParams, { text: 'x', parentId: null }).parentId).toBeNull();
  });

  it('a refusal says what to do, or what the limit is and what was given', () => {
    const messages = (declared: new () => unknown, params: object) =>
      Object.fromEntries(
        problemsOfText(declared, JSON.stringify(params)).map(({ field, message }) => [field, message]),
      );
    expect(
      messages(CreateAttachmentParams, {
        taskId: 'x'.repeat(200),
        key: 'x'.repeat(120),
        type: 'text',
        content: 'x'.repeat(MAX_ATTACHMENT_BYTES + 1),
        size: '5',
        ttlSeconds: 0,
        ifAbsent: 'yes',
        ifVersion: -3,
      }),
    ).toEqual({
      taskId: 'must be 1 to 128 characters of A-Z a-z 0-9 . _ ~ -, is 200 long',
      key: 'must be at most 100 characters long, is 120',
      content: 'must be at most 1000 bytes, is 1001',
      size: 'must be a number, or left out',
      ttlSeconds: 'must be an integer from 1 to 3153600000, is 0',
      ifAbsent: 'must be true or false, or left out',
      ifVersion: 'must be an integer from 1 to 9007199254740991, is -3',
    });
    expect(messages(ListAttachmentsParams, { taskId: 't', limit: 101, offset: '0' })).toEqual({
      limit: 'must be an integer from 1 to 100, is 101',
      offset: 'must be a number, an integer from 0 to 9007199254740991',
    });
    expect(messages(GetAttachmentsBatchParams, { requests: Array(101).fill(ref) })).toEqual({
      requests: 'must be an array of 1 to 100 elements, has 101',
    });
    expect(messages(CreateTaskParams, { text: 'x'.repeat(501), priority: 101, ttlSeconds: 1.5 })).toEqual({
      text: 'must be at most 500 characters long, is 501',
      priority: 'must be an integer from 0 to 100, is 101',
      ttlSeconds: 'must be an integer from 1 to 3153600000, is 1.5',
    });
    expect(messages(CompleteTaskParams, { id: 't', workerId: 'x'.repeat(129) })).toEqual({
      workerId: 'must be at most 128 characters long, is 129',
    });
  });

  it('only the first unknown names get a suggestion, because comparing names takes time', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`limit${i}`, 1]));
    const problems = problemsOfText(ListAttachmentsParams, JSON.stringify({ taskId: 't', ...many }));
    expect(problems).toHaveLength(50);
    expect(problems.filter(({ message }) => message.endsWith(', did you mean limit?'))).toHaveLength(20);
  });

  it('values are not converted', () => {
    for (const limit of ['10', true, [10], 10.5, -1, 1e300]) {
      expect(wrongFields(ListAttachmentsParams, { taskId: 't', limit })).toEqual(['limit']);
    }
    expect(wrongFields(ListAttachmentsParams, { taskId: ['t'] })).toEqual(['taskId']);
    expect(wrongFields(ListAttachmentsParams, { taskId: 't', includeBodies: 'false' })).toEqual(['includeBodies']);
  });

  it('any number of wrong members is survived, and a thousand are reported', () => {
    const many = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`m${i}`, 1]));
    expect(wrongFields(TaskIdParams, { id: 't', ...many })).toHaveLength(1000);
    expect(wrongFields(UpdateTaskParams, { id: 't', updates: many })).toHaveLength(1000);
    const requests = Array.from({ length: 200_000 }, () => ({}));
    expect(wrongFields(GetAttachmentsBatchParams, { requests })).toEqual(['requests']);
  });

  it('values of any depth are survived', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const params = (members: string) => `{"taskId":"t-1","key":"k","type":"json",${members}}`;
    const fieldsOf = (members: string) =>
      problemsOfText(CreateAttachmentParams, params(members)).map(({ field }) => field);
    expect(fieldsOf(`"value":${deep}`)).toEqual(['value']);
    expect(fieldsOf(`"value":1,"content":${deep}`)).toEqual(['content']);
    expect(fieldsOf(`"value":1,"deep":${deep}`)).toEqual(['deep']);
    const requests = problemsOfText(GetAttachmentsBatchParams, `{"requests":[{"taskId":"t-1","key":${deep}},${deep}]}`);
    expect(requests.map(({ field }) => field)).toEqual(['requests[0].key', 'requests[1]']);
  });
});

describe('params of task.create_attachment', () => {
  it.each(['null', 'false', '0', '""', '{}', '[]', '{"2":1.0,"1":1e2,"1":"\\u0041"}'])(
    'the value %s is kept as it was spelt',
    (value) => {
      const params = `{"taskId":"t-1","value": ${value} ,"key":"k","type":"json"}`;
      expect(bindText(CreateAttachmentParams, params).toCommand().value?.text).toBe(value);
    },
  );

  it('of two members with one name the last one counts', () => {
    const given = '{"taskId":"a b","key":"k","type":"json","value":1e999,"value":{"v":1},"taskId":"t-1"}';
    expect(bindText(CreateAttachmentParams, given).toCommand()).toMatchObject({
      taskId: 't-1',
      key: 'k',
      type: 'json',
    });
    expect(bindText(CreateAttachmentParams, given).value?.text).toBe('{"v":1}');
  });

  it.each([
    [{ type: 'json' }, ['value']],
    [{ type: 'json', value: 1, content: '' }, ['content']],
    [{ type: 'text' }, ['content']],
    [{ type: 'text', content: 'x', value: null }, ['value']],
    [{ type: 'markdown', content: '' }, []],
    [{ type: 'url', url: 'ftp://x' }, ['url']],
    [{ type: 'binary', url: 'https://x' }, ['mimeType']],
    [{ type: 'binary', mimeType: 'a/b', size: 0 }, ['size']],
    [{ type: 'text', content: 'x'.repeat(MAX_ATTACHMENT_BYTES) }, []],
    [{ type: 'text', content: 'x'.repeat(MAX_ATTACHMENT_BYTES + 1) }, ['content']],
    [{ type: 'image', content: 'x' }, ['type']],
    [{ content: 'x' }, ['type']],
    [{ type: 'text', content: 'x', ifVersion: 0 }, ['ifVersion']],
    [{ type: 'text', content: 'x', ifVersion: 1.5 }, ['ifVersion']],
    [{ type: 'text', content: 'x', ifAbsent: 'true' }, ['ifAbsent']],
    [{ type: 'text', content: 'x', ifAbsent: true, ifVersion: 1 }, ['ifAbsent']],
  ])('the members %j have the wrong fields %j', (members, fields) => {
    expect(wrongFields(CreateAttachmentParams, { ...ref, ...members })).toEqual(fields);
  });

  it('ifAbsent and ifVersion become the condition of the write', () => {
    const conditionOf = (members: object) =>
      bind(CreateAttachmentParams, { ...text, ...members }).toCommand().condition;
    expect(conditionOf({})).toBeUndefined();
    expect(conditionOf({ ifAbsent: false })).toBeUndefined();
    expect(conditionOf({ ifAbsent: true })).toEqual({ ifAbsent: true });
    expect(conditionOf({ ifVersion: 7 })).toEqual({ ifVersion: 7 });
    expect(conditionOf({ ifVersion: 7, ifAbsent: false })).toEqual({ ifVersion: 7 });
  });
});

describe('params of the other attachment methods', () => {
  it('parameters that are left out have the documented defaults', () => {
    expect(bind(ListAttachmentsParams, { taskId: 't' }).toCommand()).toEqual({
      taskId: 't',
      type: undefined,
      keyPrefix: '',
      includeBodies: true,
      limit: 50,
      offset: 0,
      descending: false,
    });
    expect(bind(GetAttachmentsBatchParams, { requests: [ref] })).toEqual({ requests: [ref], allowMissing: false });
  });

  it('the documented ranges hold', () => {
    for (const limit of [1, 100]) expect(bind(ListAttachmentsParams, { taskId: 't', limit }).limit).toBe(limit);
    for (const limit of [0, 101]) expect(wrongFields(ListAttachmentsParams, { taskId: 't', limit })).toEqual(['limit']);
    expect(wrongFields(ListAttachmentsParams, { taskId: 't', order: 'up', type: 'x', keyPrefix: '\u0000' })).toEqual([
      'type',
      'keyPrefix',
      'order',
    ]);
    expect(bind(ListAttachmentsParams, { taskId: 't', order: 'desc' }).toCommand().descending).toBe(true);
  });

  it('a batch has 1 to 100 requests, and a refusal names the wrong ones', () => {
    const requests = (length: number) => ({ requests: Array.from({ length }, () => ref) });
    expect(bind(GetAttachmentsBatchParams, requests(100)).requests).toHaveLength(100);
    for (const length of [0, 101])
      expect(wrongFields(GetAttachmentsBatchParams, requests(length))).toEqual(['requests']);
    expect(wrongFields(GetAttachmentsBatchParams, {})).toEqual(['requests']);
    expect(wrongFields(GetAttachmentsBatchParams, { requests: ref })).toEqual(['requests']);
    const mixed = { requests: [ref, { ...ref, key: '' }, null, { key: 'k' }, { ...ref, other: 1 }], allowMissing: 1 };
    expect(wrongFields(GetAttachmentsBatchParams, mixed)).toEqual([
      'allowMissing',
      'requests[1].key',
      'requests[2]',
      'requests[3].taskId',
      'requests[4].other',
    ]);
  });
});

describe('params of the task methods', () => {
  it('the metadata of a task is kept as it was spelt', () => {
    const task = bindText(CreateTaskParams, '{"text":"x","metadata":{"2":1.0, "1":null},"parentId":null}');
    expect(task).toMatchObject({ text: 'x', parentId: null });
    expect(task.metadata?.text).toBe('{"2":1.0,"1":null}');
  });

  it.each([
    [{}, ['text']],
    [{ text: '' }, ['text']],
    [{ text: 'x'.repeat(501) }, ['text']],
    [{ text: 'x', priority: 101 }, ['priority']],
    [{ text: 'x', priority: '5' }, ['priority']],
    [{ text: 'x', ttlSeconds: 0 }, ['ttlSeconds']],
    [{ text: 'x', ttlSeconds: '5' }, ['ttlSeconds']],
    [{ text: 'x', metadata: [] }, ['metadata']],
    [{ text: 'x', id: '' }, ['id']],
    [{ text: 'x', parentId: 'a/b' }, ['parentId']],
    [
      { text: 5, priority: -1, metadata: 1, id: 'a b', status: 'pending' },
      ['status', 'id', 'text', 'priority', 'metadata'],
    ],
  ])('the new task %j has the wrong fields %j', (params, fields) => {
    expect(wrongFields(CreateTaskParams, params).sort()).toEqual([...fields].sort());
  });

  it.each([
    [{ id: 't' }, ['updates']],
    [{ id: 't', updates: null }, ['updates']],
    [{ id: 't', updates: [] }, ['updates']],
    [{ id: 't', updates: {} }, ['updates']],
    [{ id: 't', updates: { other: 1 } }, ['updates.other']],
    [
      { id: 't', updates: { priority: 101, status: 'done', text: 5 } },
      ['updates.text', 'updates.status', 'updates.priority'],
    ],
    [{ id: 't', updates: { metadata: 'x' } }, ['updates.metadata']],
    [{ updates: { priority: 1 } }, ['id']],
  ])('the update %j has the wrong fields %j', (params, fields) => {
    expect(wrongFields(UpdateTaskParams, params).sort()).toEqual([...fields].sort());
  });

  it('only members that were given are updated', () => {
    const { updates } = bind(UpdateTaskParams, { id: 't', updates: { metadata: { a: 1 }, priority: 0 } });
    expect(updates.toUpdates()).toEqual({ metadata: JsonText.of({ a: 1 }), priority: 0 });
  });

  it.each([
    ['get, cancel and delete', TaskIdParams, {}],
    ['update', UpdateTaskParams, { updates: { text: 'x' } }],
    ['complete', CompleteTaskParams, {}],
  ] as const)('the task that is meant by %s is named by id or taskId', (_, declared: new () => TaskIdParams, more) => {
    const taskIdOf = (ids: object) => bind(declared, { ...ids, ...more }).toTaskId();
    const wrong = (ids: object) => wrongFields(declared, { ...ids, ...more });
    expect(taskIdOf({ id: 't' })).toBe('t');
    expect(taskIdOf({ taskId: 't' })).toBe('t');
    expect(taskIdOf({ id: 't', taskId: 't' })).toBe('t');
    expect(taskIdOf({ id: null, taskId: 't' })).toBe('t');
    expect(taskIdOf({ id: 't', taskId: null })).toBe('t');
    expect(wrong({ id: 't', taskId: 'u' })).toEqual(['taskId']);
    expect(wrong({ taskId: 'a b' })).toEqual(['taskId']);
    expect(wrong({ id: 'a b', taskId: 'c d' })).toEqual(['id', 'taskId']);
    expect(wrong({})).toEqual(['id']);
    expect(wrong({ id: null, taskId: null })).toEqual(['id']);
  });

  it('the id that the caller chooses for a new task is named id or taskId', () => {
    const idOf = (ids: object) => bind(CreateTaskParams, { text: 'x', ...ids }).toDraft().id;
    expect([idOf({ id: 't' }), idOf({ taskId: 't' }), idOf({ id: 't', taskId: 't' }), idOf({})]).toEqual([
      't',
      't',
      't',
      undefined,
    ]);
    expect(wrongFields(CreateTaskParams, { text: 'x', id: 't', taskId: 'u' })).toEqual(['taskId']);
  });

  it('a completion or an update names its task in its command', () => {
    expect(bind(CompleteTaskParams, { taskId: 't' }).toCommand().taskId).toBe('t');
    expect(bind(UpdateTaskParams, { taskId: 't', updates: { text: 'x' } }).toCommand()).toEqual({
      taskId: 't',
      updates: { text: 'x' },
    });
  });

  it('a result of null is none, and so is an error of null', () => {
    const complete = (outcome: object) => bind(CompleteTaskParams, { id: 't', ...outcome }).toCommand();
    expect(complete({})).toEqual({ taskId: 't' });
    expect(complete({ result: null, error: null })).toEqual({ taskId: 't' });
    expect(complete({ error: { code: 1 } })).toEqual({ taskId: 't', error: JsonText.of({ code: 1 }) });
    expect(complete({ error: 'broken', workerId: 'w' })).toEqual({
      taskId: 't',
      workerId: 'w',
      error: JsonText.of('broken'),
    });
  });

  it('the outcome of a task has the limits of values', () => {
    const tooLarge = 'x'.repeat(MAX_ATTACHMENT_BYTES);
    expect(wrongFields(CompleteTaskParams, { id: 't', result: tooLarge, workerId: '' })).toEqual([
      'workerId',
      'result',
    ]);
    expect(wrongFields(CompleteTaskParams, { id: 't', error: nested(65) })).toEqual(['error']);
    expect(wrongFields(CompleteTaskParams, { id: 't', error: nested(64) })).toEqual([]);
  });

  it('a list of tasks has the documented filters and defaults', () => {
    expect(bind(ListTasksParams, {}).toCommand()).toEqual({
      limit: 100,
      offset: 0,
      orderBy: 'createdAt',
      descending: false,
    });
    const filters = {
      status: 'failed',
      assignedTo: 'w',
      priority: 0,
      parentId: 'p',
      order: 'desc',
      orderBy: 'priority',
    };
    expect(bind(ListTasksParams, filters).toCommand()).toMatchObject({ parentId: 'p', descending: true, priority: 0 });
    const listed = (params: object) => bind(ListTasksParams, params).toCommand();
    expect(listed({ parentId: null })).toMatchObject({ parentId: null });
    expect(listed({ status: 'failed' }).statuses).toEqual(['failed']);
    expect(listed({ status: ['failed', 'pending'] }).statuses).toEqual(['failed', 'pending']);
    for (const status of [[], ['failed', 'failed'], ['failed', 'x'], [['failed']], 7]) {
      expect(wrongFields(ListTasksParams, { status })).toEqual(['status']);
    }
    const wrong = {
      status: 'x',
      assignedTo: '',
      priority: 101,
      parentId: '',
      limit: 1001,
      offset: -1,
      orderBy: 'id',
      order: 1,
    };
    expect(wrongFields(ListTasksParams, wrong).sort()).toEqual(Object.keys(wrong).sort());
  });

  it('a method of one task takes its id and nothing else', () => {
    expect(bind(TaskIdParams, { id: 't' })).toEqual({ id: 't' });
    expect(wrongFields(TaskIdParams, { id: 't', key: 'k' })).toEqual(['key']);
  });

  it('a deletion of an attachment may name its version', () => {
    expect(bind(DeleteAttachmentParams, { ...ref, ifVersion: 2 })).toEqual({ ...ref, ifVersion: 2 });
    expect(wrongFields(DeleteAttachmentParams, { ...ref, ifVersion: 0, ifAbsent: true }).sort()).toEqual([
      'ifAbsent',
      'ifVersion',
    ]);
  });
});
