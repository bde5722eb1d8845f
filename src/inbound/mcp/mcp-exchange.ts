import { credentialOf, type Role } from '../auth/credential';
import type { CallOrigin } from '../json-rpc/call-context';
import type { Outcome } from '../json-rpc/json-rpc';
import { overloaded, replyTooLarge, type JsonRpcError } from '../json-rpc/json-rpc-error';
import { completed, type Steps } from '../json-rpc/json-scanner';
import { writeJson } from '../json-rpc/json-writer';
import { isLargeMessage } from '../json-rpc/parse-message';
import { RawParams } from '../json-rpc/raw-params';
import type { Call } from '../json-rpc/read-call';
import { attachmentContents, attachmentRef } from './attachment-resources';
import type { McpMessage } from './mcp-message';
import { toolResult } from './tool-result';
import type { Tools } from './tools';

/** For what a reply has besides the result of a tool. */
const ENVELOPE_BYTES = 2048;
/** Stands in the reply of the SDK, which knows only parsed JSON, for the result itself. */
const PLACEHOLDER = '"structuredContent":{}';

export interface MethodRunner {
  run(call: Omit<Call, 'id'>, origin: CallOrigin): Promise<Outcome>;
  /** Does work at the expense of the caller. Throws a `JsonRpcError`. */
  take<T>(work: Steps<T>, origin: CallOrigin): Promise<T>;
  readonly maxReplyBytes: number;
}

type CallResult = ReturnType<typeof failure> | ReturnType<typeof success>;

/** What is done for one message of MCP, on behalf of its caller. */
export class McpExchange {
  /** JSON text. */
  private structuredContent?: string;

  constructor(
    readonly message: McpMessage,
    private readonly origin: CallOrigin,
    private readonly runner: MethodRunner,
    private readonly offered: Tools,
  ) {}

  get tools(): ReturnType<Tools['for']> {
    return this.offered.for(this.role);
  }

  /** Runs the method of a tool. Throws a `JsonRpcError` if there is no such tool; any other failure is a result. */
  async call(tool: string): Promise<CallResult> {
    const call = { method: this.offered.methodOf(tool), params: this.message.toolArguments };
    const outcome = await this.runner.run(call, this.origin);
    if ('error' in outcome) return failure(outcome.error);
    const made = toolResult(outcome.result);
    const { text, links } = isLargeMessage(outcome.result)
      ? await this.runner.take(made, this.origin)
      : completed(made);
    const content = [{ type: 'text' as const, text }, ...links];
    const problem = this.takeRoom(Buffer.byteLength(text) + Buffer.byteLength(JSON.stringify(content)));
    if (problem) return failure(problem);
    this.structuredContent = text;
    return success(content);
  }

  /** Reads an attachment. Throws a `JsonRpcError`. */
  async read(uri: string): Promise<ReturnType<typeof attachmentContents>> {
    const ref = attachmentRef(uri);
    const params = new RawParams({ ...ref }, () => JSON.stringify(ref));
    const outcome = await this.runner.run({ method: 'task.get_attachment', params }, this.origin);
    if ('error' in outcome) throw outcome.error;
    const contents = attachmentContents(uri, outcome.result);
    const problem = this.takeRoom(Buffer.byteLength(JSON.stringify(contents)));
    if (problem) throw problem;
    return contents;
  }

  /**
   * The reply of the SDK with the result as the method wrote it: parsing it would respell numbers. Within a string the
   * quotes of the placeholder would be escaped, so it cannot stand in what a caller has stored.
   */
  exactReply(reply: string): string {
    const text = this.structuredContent;
    return text === undefined ? reply : reply.replace(PLACEHOLDER, () => `"structuredContent":${text}`);
  }

  private get role(): Role {
    return credentialOf(this.origin.identity).role;
  }

  /** Why the reply cannot be sent, or undefined. */
  private takeRoom(bytes: number): JsonRpcError | undefined {
    const { maxReplyBytes } = this.runner;
    if (bytes + ENVELOPE_BYTES > maxReplyBytes) return replyTooLarge({ maxReplyBytes });
    return this.origin.reservation?.take(bytes) === false ? overloaded() : undefined;
  }
}

/** In a result, so that the model can read it. */
function failure({ code, message, data }: JsonRpcError) {
  return { isError: true, content: [{ type: 'text' as const, text: writeJson({ code, message, data }) }] };
}

function success<Content>(content: Content) {
  return { content, structuredContent: {} };
}
