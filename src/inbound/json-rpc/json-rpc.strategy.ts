import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import type { Tracing } from '../../core/ports/tracing';
import type { LoadShedder } from '../load/load-shedder';
import { MessagesInFlight } from '../load/messages-in-flight';
import type { CallDurations } from './call-durations';
import { JsonRpc } from './json-rpc';

/** What every transport has in common: Nest gives it the handlers of the methods, and it closes when it has replied. */
export abstract class JsonRpcStrategy extends Server implements CustomTransportStrategy {
  protected readonly jsonRpc: JsonRpc;
  protected readonly inFlight: MessagesInFlight;

  constructor(load: LoadShedder, durations: CallDurations, maxReplyBytes: number, tracing: Tracing) {
    super();
    this.jsonRpc = new JsonRpc(this.messageHandlers, durations, maxReplyBytes, load, tracing);
    this.inFlight = new MessagesInFlight(load);
  }

  abstract override listen(listening: (error?: unknown) => void): void;

  /** Resolves when the reply to every message that was taken on has been sent. */
  async close(): Promise<void> {
    await this.inFlight.drain();
  }

  override on(): never {
    throw new Error('a JSON-RPC transport emits no events');
  }

  override unwrap(): never {
    throw new Error('a JSON-RPC transport hands out no client');
  }
}
