import { Logger } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import { jsonElements } from '../../core/domain/json-text';
import { inParallel } from '../../core/consistency/in-parallel';
import type { Tracing } from '../../core/ports/tracing';
import { callIds } from '../correlation/call-ids';
import { isProven } from '../auth/credential';
import type { LoadShedder } from '../load/load-shedder';
import { BatchTime } from './batch-time';
import { CallContext, shareOf, type CallOrigin } from './call-context';
import { CallRoom } from './call-room';
import type { CallDurations } from './call-durations';
import { invalidRequest, JsonRpcError, methodNotFound, overloaded, unexpected } from './json-rpc-error';
import { writeJson } from './json-writer';
import { completed, type Steps } from './json-scanner';
import { isLargeMessage, parseMessage } from './parse-message';
import { writeInSteps, type Presentation } from './presentation';
import type { RawParams } from './raw-params';
import { idText, isObject, readCall, type Call } from './read-call';
import { ReplyBudget } from './reply-budget';
import { noteError, rpcSpan } from './rpc-span';

const MAX_BATCH_CALLS = 100;
/** Calls of one batch that run at the same time: each may read a hundred large attachments. */
const MAX_CONCURRENT_CALLS = 8;

/** To a caller that has proved nothing: enough for the description of the service, and not for a hundred of them. */
const MAX_UNPROVEN_REPLY_BYTES = 256 * 1024;

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
    private readonly load: Pick<LoadShedder, 'loopTime' | 'begun'>,
    private readonly tracing: Tracing,
  ) {}

  /** Undefined if the message gets no reply. Never rejects. */
  async reply(text: string, origin: CallOrigin): Promise<string | undefined> {
    if (origin.isAbandoned?.()) return undefined;
    try {
      const message = isLargeMessage(text) ? await this.parse(text, origin) : completed(parseMessage(text));
      return await (Array.isArray(message)
        ? this.replyToBatch(message, text, origin)
        : this.replyToOne(message, () => text, origin, this.budget(origin)));
    } catch (error) {
      return this.reject(error instanceof JsonRpcError ? error : unexpected(error, this.logger, origin.ids), origin);
    }
  }

  /** Parses a message; the time that a large one takes is its caller's. Throws a `JsonRpcError`. */
  async parse(text: string, origin: CallOrigin): Promise<unknown> {
    return isLargeMessage(text) ? await this.take(parseMessage(text), origin) : completed(parseMessage(text));
  }

  /**
   * Does work that takes long, at the expense of a caller, which has taken `tookMs` for it before. Throws a
   * `JsonRpcError`, also if it has no time left.
   */
  async take<T>(work: Steps<T>, origin: CallOrigin, tookMs?: number): Promise<T> {
    const done = await this.load.loopTime.take(shareOf(origin), work, tookMs);
    if (done === undefined) throw overloaded();
    return done;
  }

  /** Runs one call. Never rejects. */
  run(call: Omit<Call, 'id'>, origin: CallOrigin, presentation?: Presentation): Promise<Outcome> {
    return this.runWithin(this.budget(origin, undefined, presentation?.maxReadBytes), call, origin, presentation);
  }

  private runWithin(
    budget: ReplyBudget,
    call: Omit<Call, 'id'>,
    origin: CallOrigin,
    presentation?: Presentation,
  ): Promise<Outcome> {
    if (!this.tracing.isOn) return this.runCall(call, origin, budget, presentation);
    const options = rpcSpan(this.methods.has(call.method) ? call.method : undefined, origin);
    return this.tracing.span(options, async (span) => {
      const { context: trace } = span;
      const ids = callIds(origin.ids.requestId, trace.traceparent);
      const outcome = await this.runCall(call, { ...origin, ids, trace }, budget, presentation);
      if ('error' in outcome) noteError(span, outcome.error);
      return outcome;
    });
  }

  private async runCall(
    call: Omit<Call, 'id'>,
    origin: CallOrigin,
    budget: ReplyBudget,
    presentation: Presentation | undefined,
  ): Promise<Outcome> {
    const room = new CallRoom(budget, origin.reservation, origin.isOneOfMany);
    const outcome = await this.outcomeOf(call, origin, { budget, room, presentation }).finally(() => room.end());
    // Not before other calls of the message can have the room.
    const unpaidMs = 'error' in outcome && room.hasReadMuch ? room.takeUnpaidMs() : 0;
    if (unpaidMs > 0) await this.load.loopTime.pay(shareOf(origin), unpaidMs);
    budget.unpaidMs += room.takeUnpaidMs();
    return outcome;
  }

  private async outcomeOf(
    { method: name, params }: Omit<Call, 'id'>,
    origin: CallOrigin,
    { budget, room, presentation }: { budget: ReplyBudget; room: CallRoom; presentation: Presentation | undefined },
  ): Promise<Outcome> {
    const method = this.methods.get(name);
    const finish = this.durations.start(method ? name : undefined, origin);
    try {
      if (!method) throw methodNotFound();
      const value = await settled(method(params, new CallContext(origin, name, room)));
      if (isObject(value) && value['degraded'] === true) this.durations.answeredDegraded(name);
      const result = await this.write(value, room, budget, origin, presentation);
      room.show(result.length);
      finish();
      return { result };
    } catch (error) {
      const known = error instanceof JsonRpcError ? error : unexpected(error, this.logger, origin.ids);
      finish(known);
      return { error: known };
    }
  }

  /** If much was read, this and the writing are at the caller's expense, as a large message is. */
  private async write(
    value: unknown,
    room: CallRoom,
    budget: ReplyBudget,
    origin: CallOrigin,
    presentation?: Presentation,
  ): Promise<string> {
    if (room.hasReadMuch) return this.take(writeInSteps(value, budget, presentation), origin, room.takeUnpaidMs());
    return budget.write(presentation ? completed(presentation.show(value)) : value, presentation?.maxBytes);
  }

  private async replyToBatch(batch: readonly unknown[], text: string, origin: CallOrigin): Promise<string | undefined> {
    if (batch.length === 0) return errorReply(invalidRequest(), 'null');
    if (batch.length > MAX_BATCH_CALLS) return this.refuseBatch(batch, text, origin);
    const readElement = elementsOf(text);
    const budget = this.budget(origin, batch.length);
    const time = new BatchTime(this.load, shareOf(origin), budget);
    const isPaced = isLargeMessage(text) || !isProven(origin.identity);
    const replies: (string | undefined)[] = [];
    await inParallel([...batch.entries()], MAX_CONCURRENT_CALLS, async ([i, request]) => {
      if (origin.isAbandoned?.()) return;
      if (isPaced && i > 0) await time.turn();
      const going = time.mayGoOn();
      const isInTime = typeof going === 'boolean' ? going : await going;
      // The specification prints the reply to what is no object.
      replies[i] = isObject(request)
        ? await this.replyToOne(request, readElement(i), origin, budget, isInTime)
        : errorReply(invalidRequest(), 'null');
    });
    // For what the last calls have read.
    await time.mayGoOn();
    const spoken = replies.filter((reply) => reply !== undefined);
    return spoken.length > 0 ? `[${spoken.join(',')}]` : undefined;
  }

  private async replyToOne(
    request: unknown,
    readText: () => string,
    origin: CallOrigin,
    budget: ReplyBudget,
    isInTime = true,
  ): Promise<string | undefined> {
    const call = readCall(request, readText);
    const outcome =
      'error' in call ? call : isInTime ? await this.runWithin(budget, call, origin) : { error: overloaded() };
    if (call.id === undefined) return undefined;
    const reply = replyOf(outcome, call.id);
    return budget.takes(reply) ? reply : errorReply(budget.error, call.id);
  }

  private reject(error: JsonRpcError, { ids }: CallOrigin): string {
    this.durations.rejected(error, ids);
    return errorReply(error, 'null');
  }

  /** Clients wait for every id that they sent, so each gets the refusal; notifications get nothing. */
  private refuseBatch(batch: readonly unknown[], text: string, origin: CallOrigin): string {
    const reason = `a batch has at most ${MAX_BATCH_CALLS} calls`;
    const error = invalidRequest({ code: 'BATCH_TOO_LONG', maxCalls: MAX_BATCH_CALLS, reason });
    this.durations.rejected(error, origin.ids);
    const errorText = writeJson(bodyOf(error));
    const readElement = elementsOf(text);
    let bytesLeft = this.maxReplyBytesTo(origin);
    const refusals: string[] = [];
    for (const [i, request] of batch.entries()) {
      const id = isObject(request) ? idText(request, readElement(i)) : undefined;
      if (id === undefined) continue;
      const refusal = errorReplyOf(errorText, id);
      if ((bytesLeft -= Buffer.byteLength(refusal) + 1) < 1) return errorReply(error, 'null');
      refusals.push(refusal);
    }
    return refusals.length > 0 ? `[${refusals.join(',')}]` : errorReply(error, 'null');
  }

  private budget(origin: CallOrigin, calls?: number, maxBytes = Infinity): ReplyBudget {
    return new ReplyBudget(Math.min(this.maxReplyBytesTo(origin), maxBytes), calls);
  }

  private maxReplyBytesTo({ identity }: CallOrigin): number {
    return isProven(identity) ? this.maxReplyBytes : Math.min(MAX_UNPROVEN_REPLY_BYTES, this.maxReplyBytes);
  }
}

/**
 * Reads the texts of the elements of an array that has been parsed from `text`; cuts it only if one of them is needed.
 */
function elementsOf(text: string): (i: number) => () => string {
  let texts: readonly string[] | undefined;
  return (i) => () => (texts ??= jsonElements(text))[i] as string;
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
