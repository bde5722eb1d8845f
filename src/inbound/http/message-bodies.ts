import type { FastifyInstance, FastifyRequest } from 'fastify';
import { shareOfPeer } from '../json-rpc/call-context';
import type { JsonRpcError } from '../json-rpc/json-rpc-error';
import { completed } from '../json-rpc/json-scanner';
import { messageText } from '../json-rpc/message-text';
import { isLargeMessage } from '../json-rpc/parse-message';
import type { Reservation } from '../load/byte-budget';
import type { LoadShedder } from '../load/load-shedder';
import { OVERLOADED, refusalOfBody, type HttpRefusal } from './http-refusal';
import { peerNetwork } from './peer-network';
import { dropBody, readBody, type BodyBounds, type BodyError, type Turn } from './read-body';

/** Enough to answer each call of a usual batch; more is not received for a caller that has proved nothing. */
const MAX_UNPROVEN_BYTES = 64 * 1024;
/** For a client that reads the reply only after it has sent its body. */
const LINGER_MS = 2000;
/** Each small part that still comes costs time. */
const IN_PIECES_LINGER_MS = 250;
/** Of the event loop, to receive a part of a few bytes. */
const PART_MS = 0.002;

export interface Sender {
  readonly share: string;
  /** Undefined if the caller is known. */
  readonly failure?: JsonRpcError;
  readonly reservation?: Reservation;
}

/** Reads the bodies that carry messages, at the expense of their senders. */
export class MessageBodies {
  constructor(
    private readonly maxBytes: number,
    private readonly load: Pick<LoadShedder, 'begun' | 'loopTime'>,
    private readonly senderOf: (request: FastifyRequest) => Sender | undefined,
  ) {}

  /** In place of the parsers of Fastify: the text of a message counts. */
  readIn(scope: FastifyInstance): void {
    scope.removeAllContentTypeParsers();
    // Fastify finds the usual type at once, and takes any other apart at each request.
    scope.addContentTypeParser(['application/json', '*'], (request, body, parsed) => {
      const announcedBytes = Number(request.headers['content-length'] ?? 0);
      readBody(body, announcedBytes, this.boundsOf(this.senderOf(request), request), parsed);
    });
  }

  /** Of a body that has not been read to its end. Its sender may go on for a moment, so that it reads why. */
  refusal({ problem }: BodyError, request: FastifyRequest): HttpRefusal {
    if (problem === 'no room') return OVERLOADED;
    const failure = this.senderOf(request)?.failure;
    const isUnproven = failure !== undefined && problem !== 'broken off';
    if (problem === 'in pieces') endWithin(isUnproven ? 0 : IN_PIECES_LINGER_MS, request);
    else if (isUnproven) endWithin(LINGER_MS, request);
    return isUnproven ? { status: 200, error: failure } : refusalOfBody(problem, this.maxBytes);
  }

  /** A missing body is an empty text. Undefined if its sender has taken too much of the event loop. */
  text(body: unknown, share: string): string | Promise<string | undefined> {
    if (!Buffer.isBuffer(body)) return '';
    return isLargeMessage(body) ? this.load.loopTime.take(share, messageText(body)) : completed(messageText(body));
  }

  /** Receives what is not read, in turns. */
  drop(request: FastifyRequest): void {
    dropBody(request.raw, this.maxBytes, this.turnOf(this.senderOf(request), request));
  }

  private turnOf(sender: Sender | undefined, request: FastifyRequest): Turn {
    const share = sender?.share ?? shareOfPeer('http', peerNetwork(request));
    return () => {
      this.load.loopTime.noteMessage(share);
      return this.load.begun.wait(share);
    };
  }

  private boundsOf(sender: Sender | undefined, request: FastifyRequest): BodyBounds {
    return {
      maxBytes: sender?.failure ? Math.min(MAX_UNPROVEN_BYTES, this.maxBytes) : this.maxBytes,
      hasRoom: (bytes) => sender?.reservation?.take(bytes) ?? true,
      mayGoOn: (parts) => (sender ? this.load.loopTime.pay(sender.share, parts * PART_MS) : Promise.resolve(true)),
      turn: this.turnOf(sender, request),
    };
  }
}

/** Unless the body has come to its end by then. */
function endWithin(ms: number, { raw }: FastifyRequest): void {
  setTimeout(() => raw.complete || raw.destroy(), ms).unref();
}
