import { credentialOf } from '../auth/credential';
import type { CallOrigin } from '../json-rpc/call-context';
import type { Outcome } from '../json-rpc/json-rpc';
import { overloaded, replyTooLarge, type JsonRpcError } from '../json-rpc/json-rpc-error';
import { completed, type Steps } from '../json-rpc/json-scanner';
import { quoteInSteps, writeJson } from '../json-rpc/json-writer';
import { isLargeMessage } from '../json-rpc/parse-message';
import type { Presentation } from '../json-rpc/presentation';
import { RawParams } from '../json-rpc/raw-params';
import type { Call } from '../json-rpc/read-call';
import { attachmentContents, attachmentRef, type AttachmentView } from './attachment-resources';
import type { McpMessage } from './mcp-message';
import { linkLargeBodies, MAX_RESULT_BYTES, type ResourceLink } from './tool-result';
import type { Tools } from './tools';

/** For what a reply has besides the result of a tool. */
const ENVELOPE_BYTES = 2048;
/** The SDK would check, copy and write what a result contains: it gets these places, which are filled in its reply. */
const EMPTY_CONTENTS = { uri: '', text: '' };
const PLACES = /{"uri":"","text":""}|"text":""|"structuredContent":{}|"tools":\[\]/g;

export interface MethodRunner {
  run(call: Omit<Call, 'id'>, origin: CallOrigin, presentation: Presentation): Promise<Outcome>;
  /** Does work at the expense of the caller. Throws a `JsonRpcError`. */
  take<T>(work: Steps<T>, origin: CallOrigin): Promise<T>;
  /** Waits until the caller may have so much of the event loop. Throws a `JsonRpcError`. */
  pay(tookMs: number, origin: CallOrigin): Promise<void>;
  readonly maxReplyBytes: number;
}

type CallResult = ReturnType<typeof failure> | ReturnType<typeof success>;

/** What is done for one message of MCP, on behalf of its caller. */
export class McpExchange {
  /** By place, what stands there, in JSON text. */
  private readonly filled = new Map<string, string>();

  constructor(
    readonly message: McpMessage,
    private readonly origin: CallOrigin,
    private readonly runner: MethodRunner,
    private readonly offered: Tools,
  ) {}

  /** Throws a `JsonRpcError`. */
  listTools(): never[] {
    const list = this.offered.listFor(credentialOf(this.origin.identity).role);
    const problem = this.takeRoom(list);
    if (problem) throw problem;
    this.filled.set('"tools":[]', `"tools":${list}`);
    return [];
  }

  /** Runs the method of a tool. Throws a `JsonRpcError` if there is no such tool; any other failure is a result. */
  async call(tool: string): Promise<CallResult> {
    const call = { method: this.offered.methodOf(tool), params: this.message.toolArguments };
    const links: ResourceLink[] = [];
    const outcome = await this.runner.run(call, this.origin, {
      show: (value) => linkLargeBodies(value, links),
      maxBytes: MAX_RESULT_BYTES,
      maxReadBytes: this.offered.leavesOutBodies(tool) ? undefined : MAX_RESULT_BYTES,
    });
    if ('error' in outcome) return failure(outcome.error);
    const { result } = outcome;
    if (Buffer.byteLength(result) > MAX_RESULT_BYTES)
      return failure(replyTooLarge({ maxReplyBytes: MAX_RESULT_BYTES }));
    const quoting = quoteInSteps(result);
    const quoted = isLargeMessage(result) ? await this.runner.take(quoting, this.origin) : completed(quoting);
    const problem = this.takeRoom(result, quoted, JSON.stringify(links));
    if (problem) return failure(problem);
    this.filled.set('"text":""', `"text":${quoted}`);
    this.filled.set('"structuredContent":{}', `"structuredContent":${result}`);
    return success(links);
  }

  /** Reads an attachment. Throws a `JsonRpcError`. */
  async read(uri: string): Promise<typeof EMPTY_CONTENTS> {
    const ref = attachmentRef(uri);
    const call = { method: 'task.get_attachment', params: new RawParams({ ...ref }, () => JSON.stringify(ref)) };
    // eslint-disable-next-line require-yield -- one step
    const show = function* (attachment: unknown): Steps<unknown> {
      return attachmentContents(uri, attachment as AttachmentView);
    };
    const outcome = await this.runner.run(call, this.origin, { show });
    if ('error' in outcome) throw outcome.error;
    const problem = this.takeRoom(outcome.result);
    if (problem) throw problem;
    this.filled.set(JSON.stringify(EMPTY_CONTENTS), outcome.result);
    return EMPTY_CONTENTS;
  }

  /**
   * The reply of the SDK with the result as the method wrote it: parsing it would respell numbers. Within a string the
   * quotes of a place would be escaped, so it cannot stand in what a caller has sent or stored.
   */
  exactReply(reply: string): string {
    return this.filled.size === 0 ? reply : reply.replace(PLACES, (place) => this.filled.get(place) ?? place);
  }

  /** Why a reply with these parts cannot be sent, or undefined. */
  private takeRoom(...parts: readonly string[]): JsonRpcError | undefined {
    const bytes = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    const { maxReplyBytes } = this.runner;
    if (bytes + ENVELOPE_BYTES > maxReplyBytes) return replyTooLarge({ maxReplyBytes });
    return this.origin.reservation?.take(bytes) === false ? overloaded() : undefined;
  }
}

/** In a result, so that the model can read it. */
function failure({ code, message, data }: JsonRpcError) {
  return { isError: true, content: [{ type: 'text' as const, text: writeJson({ code, message, data }) }] };
}

function success(links: readonly ResourceLink[]) {
  return { content: [{ type: 'text' as const, text: '' }, ...links], structuredContent: {} };
}
