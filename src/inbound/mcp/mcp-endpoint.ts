import type { IncomingHttpHeaders } from 'node:http';
import { Logger, type OnModuleInit } from '@nestjs/common';
import type { JsonRpcHttpStrategy } from '../http/json-rpc-http.strategy';
import type { MessageEndpoint, MessageReply } from '../http/message-endpoint';
import type { CallOrigin } from '../json-rpc/call-context';
import type { CallDurations } from '../json-rpc/call-durations';
import { errorReply } from '../json-rpc/json-rpc';
import {
  INVALID_REQUEST,
  invalidRequest,
  JsonRpcError,
  PARSE_ERROR,
  SERVICE_UNAVAILABLE,
  unexpected,
} from '../json-rpc/json-rpc-error';
import { McpMessage } from './mcp-message';
import type { McpOptions } from './mcp-options';
import { McpServer } from './mcp-server';

/** What the SDK reads. It needs no credential. */
const PROTOCOL_HEADERS = ['accept', 'mcp-protocol-version', 'mcp-method', 'mcp-name'];
const STATUSES: Readonly<Record<number, number>> = {
  [PARSE_ERROR]: 400,
  [INVALID_REQUEST]: 400,
  [SERVICE_UNAVAILABLE]: 503,
};

/** `POST /mcp`: the methods as tools of the Model Context Protocol, without sessions. */
export class McpEndpoint implements MessageEndpoint, OnModuleInit {
  readonly path = '/mcp';
  readonly needsProof = true;
  private readonly logger = new Logger(McpEndpoint.name);
  /** Opened by the first message: the SDK takes time and memory. */
  private server?: Promise<McpServer>;

  constructor(
    private readonly overHttp: JsonRpcHttpStrategy,
    private readonly durations: CallDurations,
    private readonly options: McpOptions,
  ) {}

  onModuleInit(): void {
    this.overHttp.serve(this);
  }

  async answer(text: string, origin: CallOrigin, headers: IncomingHttpHeaders): Promise<MessageReply> {
    try {
      const message = McpMessage.from(await this.overHttp.parse(text, origin), text);
      this.server ??= McpServer.open(this.overHttp, this.options);
      const reply = await (await this.server).answer(message, origin, protocolHeaders(headers));
      if (reply.status >= 400) this.durations.rejected(invalidRequest(), origin.ids);
      return reply;
    } catch (error) {
      const known = error instanceof JsonRpcError ? error : unexpected(error, this.logger, origin.ids);
      this.durations.rejected(known, origin.ids);
      return { status: STATUSES[known.code] ?? 500, text: errorReply(known, 'null') };
    }
  }
}

function protocolHeaders(given: IncomingHttpHeaders): Headers {
  const headers = new Headers({ 'content-type': 'application/json' });
  for (const name of PROTOCOL_HEADERS) {
    const value = given[name];
    if (typeof value === 'string') headers.set(name, value);
  }
  return headers;
}
