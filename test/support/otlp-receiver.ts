import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

type Value = string | number | boolean;
interface OtlpAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, Value>>;
}

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes?: readonly OtlpAttribute[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

/** A span as a tool would show it. */
export interface ReceivedSpan extends Omit<OtlpSpan, 'attributes' | 'status'> {
  readonly attributes: Readonly<Record<string, Value>>;
  readonly resource: Readonly<Record<string, Value>>;
  readonly hasFailed: boolean;
}

export interface OtlpReceiver {
  readonly url: string;
  /** In the order in which they ended, of `http/json` only. */
  readonly spans: readonly ReceivedSpan[];
  /** All that came. */
  readonly requests: readonly { readonly headers: IncomingHttpHeaders; readonly body: Buffer }[];
  stop(): Promise<void>;
}

const FAILED = 2;

/** A collector. One that hangs takes what it is sent and never responds. */
export async function startOtlpReceiver({ hangs = false } = {}): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
  const server = createServer((request, response) => {
    const take = (body: Buffer) => {
      requests.push({ headers: request.headers, body });
      const isJson = request.headers['content-type'] === 'application/json';
      if (isJson) spans.push(...spansOf(JSON.parse(body.toString()) as OtlpRequest));
      if (!hangs) response.writeHead(200, { 'content-type': request.headers['content-type'] }).end(isJson ? '{}' : '');
    };
    // A sender may give up before all has come.
    void buffer(request).then(take, () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    stop: async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

function spansOf({ resourceSpans }: OtlpRequest): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map(({ attributes, status, ...span }) => ({
        ...span,
        attributes: valuesOf(attributes),
        resource: valuesOf(resource.attributes),
        hasFailed: status?.code === FAILED,
      })),
  );
}

function valuesOf(attributes: readonly OtlpAttribute[] = []): Record<string, Value> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0] as Value]));
}
