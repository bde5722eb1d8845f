import { connect, type NatsConnection } from '@nats-io/transport-node';
import { natsHeaders } from '../support/nats-headers';
import type { Environment, RpcReply } from '../support/service';
import type { Witness } from './witness';

/** Far longer than a call may take. */
const TIMEOUT_MS = 10_000;

/** Calls methods over NATS: any replica takes them. */
export class NatsCaller {
  private constructor(
    private readonly connection: NatsConnection,
    private readonly witness: Witness,
  ) {}

  static async open(servers: string, witness: Witness): Promise<NatsCaller> {
    const connection = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
    return new NatsCaller(connection, witness);
  }

  /** Undefined if there was no reply. */
  async call(method: string, params: object, credential: Environment): Promise<RpcReply | undefined> {
    const startedAtMs = performance.now();
    const body = JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 });
    const at = () => ({ replica: 'NATS', startedAtMs, endedAtMs: performance.now() });
    try {
      const reply = await this.connection.request(method, body, {
        timeout: TIMEOUT_MS,
        headers: natsHeaders(credential),
      });
      const outcome = reply.json<RpcReply>();
      this.witness.sawNats(method, outcome, at());
      return outcome;
    } catch (error) {
      this.witness.sawSilence(method, String(error), at());
      return undefined;
    }
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
