import { Logger } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import { jsonElements } from '../../core/domain/json-text';
import { inParallel } from '../../core/consistency/in-parallel';
import { CallContext, type CallOrigin } from './call-context';
import type { CallDurations } from './call-durations';
import { invalidRequest, JsonRpcError, methodNotFound, parseError, unexpected } from './json-rpc-error';
import { ReplyBudget, writeJson } from './json-writer';
import type { RawParams } from './raw-params';
import { readCall, type Call } from './read-call';

const MAX_BATCH_CALLS = 50;
/** Calls of one batch that run at the same time: each may read a hundred large attachments. */
const MAX_CONCURRENT_CALLS = 8;

/** Returns a value, a promise of a value, or a promise of an observable of Nest; fails with a `JsonRpcError`. */
export type RpcMethod = (params: RawParams, context: CallContext) => unknown;

/** How a call ended: with the JSON text of its result, or with its error. */
export type Outcome = { readonly result: string } | { readonly error: JsonRpcError };

/** JSON-RPC 2.0, independent of the transport: the text of a message in, the text of the reply out. */
export class JsonRpc {
  private readonly logger = new Logger(JsonRpc.name);

  constructor(
    private readonly methods: ReadonlyMap<string, RpcMethod>,
    private readonly durations: CallDurations,
  ) {}

  /** Undefined if the message gets no reply. Never rejects. */
  async reply(text: string, origin: CallOrigin): Promise<string | undefined> {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return errorReply(parseError(), 'null');
    }
    try {
      return await (Array.isArray(message)
        ? this.replyToBatch(message, text, origin)
        : this.replyToOne(message, text, origin));
    } catch (error) {
      return errorReply(unexpected(error, this.logger), 'null');
    }
  }

  /** Runs one call. Never rejects. */
  async run({ method: name, params }: Omit<Call, 'id'>, origin: CallOrigin, budget?: ReplyBudget): Promise<Outcome> {
    const method = this.methods.get(name);
    const finish = this.durations.start(method ? name : undefined, origin.transport);
    try {
      if (!method) throw methodNotFound();
      const result = writeJson(await settled(method(params, new CallContext(origin, name))), budget);
      finish();
      return { result };
    } catch (error) {
      const known = error instanceof JsonRpcError ? error : unexpected(error, this.logger);
      finish(known);
      return { error: known };
    }
  }

  private async replyToBatch(batch: readonly unknown[], text: string, origin: CallOrigin): Promise<string | undefined> {
    if (batch.length === 0) return errorReply(invalidRequest(), 'null');
    if (batch.length > MAX_BATCH_CALLS) {
      return errorReply(invalidRequest({ code: 'BATCH_TOO_LONG', maxCalls: MAX_BATCH_CALLS }), 'null');
    }
    const texts = jsonElements(text);
    const budget = new ReplyBudget();
    const replies: (string | undefined)[] = [];
    await inParallel([...batch.entries()], MAX_CONCURRENT_CALLS, async ([i, request]) => {
      replies[i] = await this.replyToOne(request, texts[i] as string, origin, budget);
    });
    const spoken = replies.filter((reply) => reply !== undefined);
    return spoken.length > 0 ? `[${spoken.join(',')}]` : undefined;
  }

  private async replyToOne(
    request: unknown,
    text: string,
    origin: CallOrigin,
    budget?: ReplyBudget,
  ): Promise<string | undefined> {
    const call = readCall(request, text);
    if ('error' in call) return errorReply(call.error, call.id);
    const outcome = await this.run(call, origin, budget);
    return call.id === undefined ? undefined : replyOf(outcome, call.id);
  }
}

async function settled(outcome: unknown): Promise<unknown> {
  const value = await outcome;
  return isObservable(value) ? lastValueFrom(value, { defaultValue: null }) : value;
}

/** `id` is JSON text. */
export function replyOf(outcome: Outcome, id: string): string {
  return 'error' in outcome ? errorReply(outcome.error, id) : `{"jsonrpc":"2.0","result":${outcome.result},"id":${id}}`;
}

/** `id` is JSON text. */
export function errorReply({ code, message, data }: JsonRpcError, id: string): string {
  return `{"jsonrpc":"2.0","error":${writeJson({ code, message, data })},"id":${id}}`;
}
