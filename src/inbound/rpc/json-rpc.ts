import { Logger } from '@nestjs/common';
import { isObservable, lastValueFrom } from 'rxjs';
import { isLongerThan } from '../../core/domain/identifiers';
import { jsonElements, jsonMembers } from '../../core/domain/json-text';
import { CallContext, type CallOrigin } from './call-context';
import type { CallDurations } from './call-durations';
import { invalidRequest, JsonRpcError, methodNotFound, parseError, unexpected } from './json-rpc-error';
import { writeJson } from './json-writer';
import { RawParams } from './raw-params';

export const MAX_BATCH_CALLS = 50;
/** In Unicode code points. */
const MAX_ID_LENGTH = 128;

/** Answers with a value, a promise of one, or a promise of Nest's observable; fails with a `JsonRpcError`. */
export type RpcMethod = (params: RawParams, context: CallContext) => unknown;

/** `id` is the JSON text of the reply's id; undefined for a notification. */
interface Call {
  readonly id: string | undefined;
  readonly method: string;
  readonly params: RawParams;
}

/** JSON-RPC 2.0, whatever carries it: the text of a message in, the text of the reply out. */
export class JsonRpc {
  private readonly logger = new Logger(JsonRpc.name);

  constructor(
    private readonly methods: ReadonlyMap<string, RpcMethod>,
    private readonly durations: CallDurations,
  ) {}

  /** Undefined where nothing is to be replied. Never rejects. */
  async reply(text: string, origin: CallOrigin): Promise<string | undefined> {
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return errorReply(parseError(), 'null');
    }
    return Array.isArray(message) ? this.replyToBatch(message, text, origin) : this.replyToOne(message, text, origin);
  }

  private async replyToBatch(batch: readonly unknown[], text: string, origin: CallOrigin): Promise<string | undefined> {
    if (batch.length === 0) return errorReply(invalidRequest(), 'null');
    if (batch.length > MAX_BATCH_CALLS) {
      return errorReply(invalidRequest({ code: 'BATCH_TOO_LONG', maxCalls: MAX_BATCH_CALLS }), 'null');
    }
    const texts = jsonElements(text);
    const replies = await Promise.all(batch.map((request, i) => this.replyToOne(request, texts[i] as string, origin)));
    const spoken = replies.filter((reply) => reply !== undefined);
    return spoken.length > 0 ? `[${spoken.join(',')}]` : undefined;
  }

  private async replyToOne(request: unknown, text: string, origin: CallOrigin): Promise<string | undefined> {
    const call = readCall(request, text);
    if ('refusal' in call) return call.refusal;

    const method = this.methods.get(call.method);
    const finish = this.durations.start(method ? call.method : undefined, origin.transport);
    try {
      if (!method) throw methodNotFound();
      const result = writeJson(await settled(method(call.params, new CallContext(origin, call.method))));
      finish();
      return call.id === undefined ? undefined : `{"jsonrpc":"2.0","result":${result},"id":${call.id}}`;
    } catch (error) {
      const known = error instanceof JsonRpcError ? error : unexpected(error, this.logger);
      finish(known);
      return call.id === undefined ? undefined : errorReply(known, call.id);
    }
  }
}

/** The call in a parsed message, or the reply that says why it is none. */
function readCall(request: unknown, text: string): Call | { readonly refusal: string } {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) return refusal('null');
  const { jsonrpc, method, params, id: givenId } = request as Record<string, unknown>;
  const id = givenId === undefined ? undefined : idText(givenId, text);
  if (givenId !== undefined && id === undefined) return refusal('null');
  if (jsonrpc !== '2.0' || typeof method !== 'string') return refusal(id);
  if (params === undefined) return { id, method, params: new RawParams({}, () => '{}') };
  if (typeof params !== 'object' || params === null) return refusal(id);
  return { id, method, params: new RawParams(params as RawParams['values'], () => memberText(text, 'params')) };
}

/** Undefined where `id` may not be one. A number is echoed as it was spelt where parsing could have changed it. */
function idText(id: unknown, text: string): string | undefined {
  if (id === null) return 'null';
  if (typeof id === 'string') return isLongerThan(id, MAX_ID_LENGTH) ? undefined : JSON.stringify(id);
  if (typeof id !== 'number' || !Number.isFinite(id)) return undefined;
  return Number.isSafeInteger(id) ? String(id) : memberText(text, 'id');
}

function memberText(text: string, name: string): string {
  return jsonMembers(text).get(name) as string;
}

async function settled(outcome: unknown): Promise<unknown> {
  const value = await outcome;
  return isObservable(value) ? lastValueFrom(value, { defaultValue: null }) : value;
}

function refusal(id = 'null'): { readonly refusal: string } {
  return { refusal: errorReply(invalidRequest(), id) };
}

/** `id` is JSON text. */
export function errorReply({ code, message, data }: JsonRpcError, id: string): string {
  return `{"jsonrpc":"2.0","error":${writeJson({ code, message, data })},"id":${id}}`;
}
