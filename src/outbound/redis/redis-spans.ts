import { ReplyError, type Cluster, type Redis } from 'ioredis';
import type { Span, SpanAttributes, SpanOptions, Tracing } from '../../core/ports/tracing';
import { StoreError } from '../../core/ports/store-error';
import type { RedisAddress } from './redis-address';

/** Several calls share one script: each of them has a span of its own for it. */
const SHARED_SCRIPTS = ['cacheRead'];

type Commands = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** A span for each script and command of a call, named after the script. Neither keys nor arguments are in it. */
export class RedisSpans {
  private readonly common: SpanAttributes;

  constructor(
    private readonly tracing: Tracing,
    { nodes, db }: RedisAddress,
  ) {
    const [node] = nodes;
    const address = nodes.length === 1 && node ? addressAttributes(node) : {};
    this.common = { 'db.system.name': 'redis', 'db.namespace': String(db), ...address };
  }

  /** For all scripts that are defined from now on. */
  install(client: Redis | Cluster): void {
    const define = client.defineCommand.bind(client);
    client.defineCommand = (script, definition) => {
      define(script, definition);
      if (!SHARED_SCRIPTS.includes(script)) this.wrap(client, script, this.scriptSpan(script));
    };
    this.wrap(client, 'hgetall', this.commandSpan('HGETALL'));
  }

  ofScript<T>(script: string, work: () => Promise<T>): Promise<T> {
    return this.tracing.part(this.scriptSpan(script), (span) => noting(work(), span));
  }

  private wrap(client: Redis | Cluster, name: string, options: SpanOptions): void {
    const commands = client as unknown as Commands;
    const send = (commands[name] as Commands[string]).bind(client);
    commands[name] = (...args) => this.tracing.part(options, (span) => noting(send(...args), span));
  }

  private scriptSpan(script: string): SpanOptions {
    const { name, kind, attributes } = this.commandSpan('EVALSHA');
    return { name: `${name} ${script}`, kind, attributes: { ...attributes, 'db.stored_procedure.name': script } };
  }

  private commandSpan(command: string): SpanOptions {
    return { name: command, kind: 'client', attributes: { ...this.common, 'db.operation.name': command } };
  }
}

/** Of an error of the server, its first word; the rest may quote keys. */
async function noting<T>(reply: Promise<T>, span: Span | undefined): Promise<T> {
  try {
    return await reply;
  } catch (error) {
    const cause: unknown = error instanceof StoreError ? error.cause : error;
    const word = cause instanceof ReplyError ? /^[A-Z]+/.exec((cause as Error).message)?.[0] : undefined;
    if (word !== undefined) span?.set({ 'db.response.status_code': word });
    if (word !== undefined) span?.fail(word);
    throw error;
  }
}

function addressAttributes({ host, port }: RedisAddress['nodes'][number]): SpanAttributes {
  return { ...(host !== undefined && { 'server.address': host }), ...(port !== undefined && { 'server.port': port }) };
}
