import type { IncomingHttpHeaders } from 'node:http';
import type { CallOrigin } from '../json-rpc/call-context';

/** A path to which messages of a protocol on top of JSON-RPC are posted. */
export interface MessageEndpoint {
  readonly path: string;
  /** Whether a caller that has proved nothing is refused before its message is read. */
  readonly needsProof: boolean;
  /** Never rejects. */
  answer(text: string, origin: CallOrigin, headers: IncomingHttpHeaders): Promise<MessageReply>;
}

/** Without a text, there is no body. */
export interface MessageReply {
  readonly status: number;
  readonly text?: string;
  /** Undefined for JSON. */
  readonly contentType?: string;
}
