import Ajv2020 from 'ajv/dist/2020';
import { Tools } from '../../../../src/inbound/mcp/tools';
import { METHODS } from '../../../../src/inbound/methods/method-descriptions';

const ALL = new Tools({ allowsTaskDeletion: true });
const KEPT = new Tools({ allowsTaskDeletion: false });
const READ_TOOLS = [
  'task__get_attachment',
  'task__list_attachments',
  'task__get_attachments_batch',
  'task__get',
  'task__list',
  'task__usage',
];

function methodOf(tool: string) {
  return METHODS.find(({ name }) => name === ALL.methodOf(tool))!;
}

function refusal(name: string, tools = KEPT): unknown {
  try {
    return tools.methodOf(name);
  } catch (error) {
    return error;
  }
}

/** Refuses keywords and formats that JSON Schema does not have. */
function validator(schema: object) {
  const ajv = new Ajv2020({ strictSchema: true, formats: { 'date-time': true } });
  return ajv.compile(schema);
}

describe('the tools', () => {
  it('are all methods, under names without dots, in a fixed order', () => {
    const names = ALL.for('admin').map(({ name }) => name);
    expect(names).toEqual(METHODS.map(({ name }) => name.replace('.', '__')));
    expect(names.filter((name) => !/^[a-zA-Z0-9_-]{1,64}$/.test(name))).toEqual([]);
    expect(names.map((name) => ALL.methodOf(name))).toEqual(METHODS.map(({ name }) => name));
  });

  it('say whether they read, destroy, and may be repeated, as the methods do', () => {
    for (const { name, annotations } of ALL.for('admin')) {
      const { readOnly, destructive, idempotent } = methodOf(name);
      const hints = { readOnlyHint: readOnly, destructiveHint: destructive, idempotentHint: idempotent };
      expect([name, annotations]).toEqual([name, { ...hints, openWorldHint: false }]);
    }
    const destructive = ALL.for('admin').filter(({ annotations }) => annotations.destructiveHint);
    expect(destructive.map(({ name }) => name)).toContain('task__delete_attachment');
    expect(destructive.map(({ name }) => name)).not.toContain('task__create');
  });

  it('leave out large bodies if they read attachments', () => {
    const names = ALL.for('admin').map(({ name }) => name);
    expect(names.filter((name) => ALL.leavesOutBodies(name))).toEqual([
      'task__get_attachment',
      'task__list_attachments',
      'task__get_attachments_batch',
    ]);
  });

  it('are those that the role of the caller may call', () => {
    expect(ALL.for('read').map(({ name }) => name)).toEqual(READ_TOOLS);
    expect(ALL.for('write')).toEqual(ALL.for('admin').filter(({ name }) => name !== 'task__delete'));
  });

  it('delete no tasks unless that is turned on, whatever the role', () => {
    expect(ALL.for('admin').map(({ name }) => name)).toContain('task__delete');
    expect(KEPT.for('admin').map(({ name }) => name)).not.toContain('task__delete');
    expect(refusal('task__delete')).toMatchObject({
      code: -32602,
      message: 'Unknown tool',
      data: { errors: [{ field: 'name', message: expect.stringContaining('MCP_ALLOW_TASK_DELETE=on') as unknown }] },
    });
  });

  it.each([
    ['task.get', ', did you mean task__get?'],
    ['task__get_atachment', ', did you mean task__get_attachment?'],
    ['x'.repeat(10_000), ''],
    ['__proto__', ''],
  ])('an unknown one (%#) is refused, with the name that was probably meant', (name, suggestion) => {
    const message = `is not a tool of this service${suggestion}`;
    expect(refusal(name)).toMatchObject({
      code: -32602,
      data: { code: 'INVALID_PARAMS', errors: [{ field: 'name', message }] },
    });
  });
});

describe('the schemas of the tools', () => {
  it('take and describe what the examples of the methods have', () => {
    for (const { name, inputSchema, outputSchema } of ALL.for('admin')) {
      const [takes, describes] = [validator(inputSchema), validator(outputSchema)];
      for (const { params, result } of methodOf(name).examples) {
        expect([name, takes(params), takes.errors]).toEqual([name, true, null]);
        expect([name, describes(result), describes.errors]).toEqual([name, true, null]);
      }
      expect([name, takes({ unknown: 1 })]).toEqual([name, false]);
    }
  });

  it('are objects without alternatives at the top level, because several model APIs refuse these', () => {
    for (const { name, inputSchema, outputSchema } of ALL.for('admin')) {
      for (const schema of [inputSchema, outputSchema]) {
        const refused = Object.keys(schema).filter((keyword) => /^(oneOf|anyOf|allOf|not|\$ref)$/.test(keyword));
        expect([name, schema.type, refused]).toEqual([name, 'object', []]);
      }
    }
  });
});
