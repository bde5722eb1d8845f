import type { CallToolResult, JSONRPCRequest, Result, ServerContext } from '@modelcontextprotocol/server';
import { Logger, type LoggerService } from '@nestjs/common';
import type { MessageReply } from '../http/message-endpoint';
import type { CallOrigin } from '../json-rpc/call-context';
import { JsonRpcError, unexpected } from '../json-rpc/json-rpc-error';
import { ATTACHMENT_TEMPLATE } from './attachment-resources';
import { McpExchange, type MethodRunner } from './mcp-exchange';
import type { McpMessage } from './mcp-message';
import type { McpOptions } from './mcp-options';
import { refusedParams } from './refused-params';
import { Tools } from './tools';

/** The SDK wants an absolute one, and does not look at it. */
const ANY_URL = 'http://dossier.invalid/mcp';
/** Of the event loop, as measured: for one message, without what its method does. */
const SDK_MS = 0.5;
/** Of those that begin with `initialize`: earlier ones know no structured results and no resource links. */
const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18'];
const INSTRUCTIONS = `Dossier keeps tasks, and attachments of tasks: JSON values, texts, URLs, and references to files. An
attachment is found by the id of its task and by its key; both may be chosen by the caller. A result with \`degraded: true\`
was given although the database could not be asked. A failed call returns JSON with \`code\`, \`message\` and \`data\`:
\`data.errors\` names each wrong argument, \`data.retryable\` says that the same call may succeed later.`;

/**
 * Not imported above: it takes a tenth of a second and some megabytes, and most replicas never see a message of MCP.
 */
const loadSdk = () => import('@modelcontextprotocol/server');
type Sdk = Awaited<ReturnType<typeof loadSdk>>;
type Handler = (request: JSONRPCRequest, context: ServerContext) => Promise<Result>;

/**
 * Answers messages with the SDK. Nothing outlives an exchange, so any replica can answer the next message of a client.
 */
export class McpServer {
  private readonly logger = new Logger(McpServer.name);
  private readonly tools: Tools;
  private readonly Server: Sdk['Server'];

  private constructor(
    private readonly sdk: Sdk,
    private readonly runner: MethodRunner,
    private readonly options: McpOptions,
  ) {
    this.tools = new Tools(options);
    this.Server = serverClass(sdk, this.logger);
  }

  static async open(runner: MethodRunner, options: McpOptions): Promise<McpServer> {
    return new McpServer(await loadSdk(), runner, options);
  }

  /** Throws a `JsonRpcError` if the caller has taken too much of the event loop. */
  async answer(message: McpMessage, origin: CallOrigin, headers: Headers): Promise<MessageReply> {
    await this.runner.pay(SDK_MS, origin);
    const exchange = new McpExchange(message, origin, this.runner, this.tools);
    const response = await this.respond(exchange, new Request(ANY_URL, { method: 'POST', headers }));
    const text = exchange.exactReply(await response.text());
    const contentType = response.headers.get('content-type') ?? undefined;
    return { status: response.status, text: text === '' ? undefined : text, contentType };
  }

  private async respond(exchange: McpExchange, request: Request): Promise<Response> {
    const { createMcpHandler, isLegacyRequest, WebStandardStreamableHTTPServerTransport } = this.sdk;
    const parsedBody = exchange.message.forSdk;
    const server = this.serverFor(exchange);
    if (!(await isLegacyRequest(request, parsedBody))) {
      return createMcpHandler(() => server, { legacy: 'reject' }).fetch(request, { parsedBody });
    }
    // Not with the handler above, which would answer with a stream of events.
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport);
    try {
      return await transport.handleRequest(request, { parsedBody });
    } finally {
      await server.close();
    }
  }

  /**
   * Not the SDK's `McpServer`: that one checks arguments by itself, and its errors would not be those of the methods.
   */
  private serverFor(exchange: McpExchange): InstanceType<Sdk['Server']> {
    const server = new this.Server(
      { name: 'dossier', title: 'Dossier', version: this.options.version },
      {
        capabilities: { tools: {}, resources: {} },
        instructions: INSTRUCTIONS.replaceAll('\n', ' '),
        supportedProtocolVersions: LEGACY_VERSIONS,
      },
    );
    server.setRequestHandler('tools/list', () => ({ tools: exchange.listTools() }));
    server.setRequestHandler('tools/call', async ({ params }) => (await exchange.call(params.name)) as CallToolResult);
    // There may be millions, and one is only found by its task: the tools list those of a task.
    server.setRequestHandler('resources/list', () => ({ resources: [] }));
    server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [ATTACHMENT_TEMPLATE] }));
    server.setRequestHandler('resources/read', async ({ params }) => ({
      contents: [await exchange.read(params.uri)],
    }));
    return server;
  }
}

/** The SDK's server, but for errors: it would send the message of any error to the caller. */
function serverClass({ Server, ProtocolError, specTypeSchemas }: Sdk, logger: LoggerService): Sdk['Server'] {
  return class extends Server {
    /** The handler checks the params first, and throws what it finds as an error that is not foreseen. */
    protected override _wrapHandler(method: string, handler: Handler): Handler {
      const checked = super._wrapHandler(method, handler);
      return async (request, context) => {
        try {
          return await checked(request, context);
        } catch (error) {
          if (error instanceof JsonRpcError) throw error;
          const refusal = refusedParams(specTypeSchemas, method, request);
          if (refusal) throw refusal;
          throw error instanceof ProtocolError ? error : unexpected(error, logger);
        }
      };
    }
  };
}
