import { includesRole, type Role } from '../auth/credential';
import { INVALID_PARAMS, JsonRpcError } from '../json-rpc/json-rpc-error';
import type { ObjectSchema } from '../methods/json-schema';
import { METHODS, type MethodDescription } from '../methods/method-descriptions';
import { nearName } from '../methods/near-name';
import type { McpOptions } from './mcp-options';
import { MAX_INLINE_BYTES } from './tool-result';
import { inputSchema, outputSchema } from './tool-schemas';

/** A method as MCP describes a tool. */
interface Tool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: ObjectSchema;
  readonly outputSchema: ObjectSchema;
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint: boolean;
    readonly idempotentHint: boolean;
    /** Nothing outside of the service is read or changed. */
    readonly openWorldHint: false;
  };
}

const LARGE_BODIES = `A body (\`value\` or \`content\`) of more than ${MAX_INLINE_BYTES / 1024} KiB is left out: \`bytes\` has its length, and a resource link leads to it.`;

/** The methods as tools. */
export class Tools {
  private readonly methods = new Map(METHODS.map((method) => [toolName(method), method]));
  private readonly tools = new Map(METHODS.map((method) => [method, toolOf(method)]));
  private readonly lists = new Map<Role, string>();

  constructor(private readonly options: Pick<McpOptions, 'allowsTaskDeletion'>) {}

  /** What a caller of this role may call, in the order of the methods. */
  for(role: Role): readonly Tool[] {
    return [...this.tools]
      .filter(([method]) => this.isOn(method) && includesRole(role, method.role))
      .map(([, tool]) => tool);
  }

  /** The same as JSON text, which takes as long to write as several calls. */
  listFor(role: Role): string {
    const list = this.lists.get(role) ?? JSON.stringify(this.for(role));
    this.lists.set(role, list);
    return list;
  }

  /** The name of the method behind a tool, whatever the role of the caller: the method says what it needs. */
  methodOf(name: string): string {
    const method = this.methods.get(name);
    if (!method) throw unknownTool(this.unknownName(name));
    if (!this.isOn(method)) throw unknownTool('is turned off; MCP_ALLOW_TASK_DELETE=on turns it on');
    return method.name;
  }

  /** Whether more may be read for a result than it contains. */
  leavesOutBodies(name: string): boolean {
    const method = this.methods.get(name);
    return method !== undefined && holdsBodies(method);
  }

  /** Only deleting tasks needs this role. */
  private isOn({ role }: MethodDescription): boolean {
    return role !== 'admin' || this.options.allowsTaskDeletion;
  }

  private unknownName(name: string): string {
    const on = [...this.methods].filter(([, method]) => this.isOn(method)).map(([tool]) => tool);
    const near = nearName(name.replaceAll('.', '_'), on);
    return near === undefined
      ? 'is not a tool of this service'
      : `is not a tool of this service, did you mean ${near}?`;
  }
}

/** Not every host takes dots. */
function toolName({ name }: MethodDescription): string {
  return name.replaceAll('.', '__');
}

function toolOf(method: MethodDescription): Tool {
  const { summary, description, readOnly, destructive, idempotent } = method;
  return {
    name: toolName(method),
    description: [summary, description, ...(holdsBodies(method) ? [LARGE_BODIES] : [])].join(' '),
    inputSchema: inputSchema(method.params),
    outputSchema: outputSchema(method.result),
    annotations: {
      readOnlyHint: readOnly,
      destructiveHint: destructive,
      idempotentHint: idempotent,
      openWorldHint: false,
    },
  };
}

function holdsBodies({ readOnly, group }: MethodDescription): boolean {
  return readOnly && group === 'attachments';
}

function unknownTool(message: string): JsonRpcError {
  return new JsonRpcError(INVALID_PARAMS, 'Unknown tool', {
    code: 'INVALID_PARAMS',
    errors: [{ field: 'name', message }],
  });
}
