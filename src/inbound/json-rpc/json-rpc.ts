import { Logger } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import { jsonElements } from '../../core/domain/json-text';
import { inParallel } from '../../core/consistency/in-parallel';
import type { LoopTime } from '../load/loop-time';
import { CallContext, shareOf, type CallOrigin } from './call-context';
import { CallRoom } from './call-room';
import type { CallDurations } from './call-durations';
import { invalidRequest, JsonRpcError, methodNotFound, overloaded, unexpected } from './json-rpc-error';
import { writeJson } from './json-writer';
import { isLargeMessage, parseMessage } from './parse-message';
import type { RawParams } from './raw-params';
import { idText, isObject, readCall, type Call } from './read-call';
import { ReplyBudget } from './reply-budget';

const MAX_BATCH_CALLS = 100;
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
    private readonly maxReplyBytes: number,
    private readonly loopTime: LoopTime,
  ) {}

  /** Undefined if the message gets no reply. Never rejects. */
  async reply(text: string, origin: CallOrigin): Promise<string | undefined> {
    try {
      const message = isLargeMessage(text) ? await this.parse(text, origin) : parseMessage(text);
      return await (Array.isArray(message)
        ? this.replyToBatch(message, text, origin)
        : this.replyToOne(message, text, origin, this.budget()));
    } catch (error) {
      return this.reject(error instanceof JsonRpcError ? error : unexpected(error, this.logger));
    }
  }

  /** Parses a message; the time that a large one takes is its caller's. Throws a `JsonRpcError`. */
  async parse(text: string, origin: CallOrigin): Promise<unknown> {
    if (!isLargeMessage(text)) return parseMessage(text);
    const share = shareOf(origin);
    if (!(await this.loopTime.turnOf(share))) throw overloaded();
    return this.loopTime.take(share, () => parseMessage(text));
  }

  /** Runs one call. Never rejects. */
  async run({ method: name, params }: Omit<Call, 'id'>, origin: CallOrigin, budget = this.budget()): Promise<Outcome> {
    const method = this.methods.get(name);
    const finish = this.durations.start(method ? name : undefined, origin.transport);
    const room = new CallRoom(budget, origin.reservation);
    try {
      if (!method) throw methodNotFound();
      const value = await settled(method(params, new CallContext(origin, name, room)));
      if (isObject(value) && value['degraded'] === true) this.durations.answeredDegraded(name);
      const result = budget.write(value);
      room.show(result.length);
      finish();
      return { result };
    } catch (error) {
      const known = error instanceof JsonRpcError ? error : unexpected(error, this.logger);
      finish(known);
      return { error: known };
    } finally {
      room.end();
    }
  }

  private async replyToBatch(batch: readonly unknown[], text: string, origin: CallOrigin): Promise<string | undefined> {
    if (batch.length === 0) return errorReply(invalidRequest(), 'null');
    if (batch.length > MAX_BATCH_CALLS) return this.refuseBatch(batch, text);
    const texts = jsonElements(text);
    const budget = this.budget(batch.length);
    const replies: (string | undefined)[] = [];
    await inParallel([...batch.entries()], MAX_CONCURRENT_CALLS, async ([i, request]) => {
      // The specification prints the reply to what is no object.
      replies[i] = isObject(request)
        ? await this.replyToOne(request, texts[i] as string, origin, budget)
        : errorReply(invalidRequest(), 'null');
    });
    const spoken = replies.filter((reply) => reply !== undefined);
    return spoken.length > 0 ? `[${spoken.join(',')}]` : undefined;
  }

  private async replyToOne(
    request: unknown,
    text: string,
    origin: CallOrigin,
    budget: ReplyBudget,
  ): Promise<string | undefined> {
    const call = readCall(request, text);
    const outcome = 'error' in call ? call : await this.run(call, origin, budget);
    if (call.id === undefined) return undefined;
    const reply = replyOf(outcome, call.id);
    return budget.takes(reply) ? reply : errorReply(budget.error, call.id);
  }

  private reject(error: JsonRpcError): string {
    this.durations.rejected(error);
    return errorReply(error, 'null');
  }

  /** Clients wait for every id that they sent, so each gets the refusal; notifications get nothing. */
  private refuseBatch(batch: readonly unknown[], text: string): string {
    const reason = `a batch has at most ${MAX_BATCH_CALLS} calls`;
    const error = invalidRequest({ code: 'BATCH_TOO_LONG', maxCalls: MAX_BATCH_CALLS, reason });
    this.durations.rejected(error);
    const errorText = writeJson(bodyOf(error));
    let texts: readonly string[] | undefined;
    let bytesLeft = this.maxReplyBytes;
    const refusals: string[] = [];
    for (const [i, request] of batch.entries()) {
      const givenId = isObject(request) ? request['id'] : undefined;
      const id = idText(givenId, () => (texts ??= jsonElements(text))[i] as string);
      if (id === undefined) continue;
      const refusal = errorReplyOf(errorText, id);
      if ((bytesLeft -= Buffer.byteLength(refusal) + 1) < 1) return errorReply(error, 'null');
      refusals.push(refusal);
    }
    return refusals.length > 0 ? `[${refusals.join(',')}]` : errorReply(error, 'null');
  }

  private budget(calls?: number): ReplyBudget {
    return new ReplyBudget(this.maxReplyBytes, calls);
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
export function errorReply(error: JsonRpcError, id: string): string {
  return errorReplyOf(writeJson(bodyOf(error)), id);
}

function errorReplyOf(errorText: string, id: string): string {
  return `{"jsonrpc":"2.0","error":${errorText},"id":${id}}`;
}

function bodyOf({ code, message, data }: JsonRpcError): object {
  return { code, message, data };
}
