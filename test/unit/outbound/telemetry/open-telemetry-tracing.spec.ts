import { AsyncLocalStorage } from 'node:async_hooks';
import { InMemorySpanExporter, BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { StoreError } from '../../../../src/core/ports/store-error';
import { TRACING_OFF, type SpanOptions } from '../../../../src/core/ports/tracing';
import { OpenTelemetryTracing } from '../../../../src/outbound/telemetry/open-telemetry-tracing';
import { startOtlpReceiver, type OtlpReceiver } from '../../../support/otlp-receiver';
import { until } from '../../../support/poll';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN_ID = '00f067aa0ba902b7';
const RECORDED = { traceparent: `00-${TRACE_ID}-${SPAN_ID}-01`, tracestate: 'vendor=value' };
const UNRECORDED = { traceparent: `00-${TRACE_ID}-${SPAN_ID}-00` };
const WORK: SpanOptions = { name: 'work', kind: 'internal', attributes: {} };
const PART: SpanOptions = { name: 'part', kind: 'client', attributes: { 'db.system.name': 'redis' } };

describe('spans', () => {
  let exporter: InMemorySpanExporter;
  let tracing: OpenTelemetryTracing;

  beforeEach(() => {
    exporter = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    tracing = new OpenTelemetryTracing(provider.getTracer('test'));
  });

  const ended = (name: string) => exporter.getFinishedSpans().find((span) => span.name === name);
  const traceparents = (...given: string[]) =>
    Promise.all(
      given.map((traceparent) =>
        tracing.span({ ...WORK, parent: { traceparent } }, ({ context }) => Promise.resolve(context.traceparent)),
      ),
    );

  it('are parts of the work around them, across everything that is awaited', async () => {
    await tracing.span({ ...WORK, parent: RECORDED }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await tracing.part(PART, () => Promise.resolve());
    });
    const [work, part] = [ended('work'), ended('part')];
    expect(work?.parentSpanContext).toMatchObject({ traceId: TRACE_ID, spanId: SPAN_ID });
    expect(part?.parentSpanContext?.spanId).toBe(work?.spanContext().spanId);
    expect(part?.spanContext().traceState?.serialize()).toBe('vendor=value');
  });

  it('of calls at the same time are not mixed up', async () => {
    const traceIds = Array.from({ length: 20 }, (_, i) => `${i + 1}`.padStart(32, 'a'));
    await Promise.all(
      traceIds.map((traceId, i) =>
        tracing.span({ ...WORK, parent: { traceparent: `00-${traceId}-${SPAN_ID}-01` } }, async () => {
          await new Promise((resolve) => setTimeout(resolve, (i * 7) % 5));
          await tracing.part({ ...PART, name: traceId }, () => Promise.resolve());
        }),
      ),
    );
    expect(traceIds.map((traceId) => ended(traceId)?.spanContext().traceId)).toEqual(traceIds);
  });

  it('of parts are none without work around them, and none in a trace that is not recorded', async () => {
    await tracing.part(PART, () => Promise.resolve());
    const context = await tracing.span({ ...WORK, parent: UNRECORDED }, async (span) => {
      await tracing.part(PART, (part) => Promise.resolve(expect(part).toBeUndefined()));
      return span.context;
    });
    expect(exporter.getFinishedSpans()).toEqual([]);
    // What follows elsewhere is told of the trace, and that it is not recorded.
    expect(context.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`));
  });

  it('link to calls, and leave out what is no trace', async () => {
    const links = [RECORDED, { traceparent: 'garbage' }, UNRECORDED];
    await tracing.span({ ...WORK, links }, () => Promise.resolve());
    const spanIds = ended('work')?.links.map(({ context }) => [context.traceId, context.spanId]);
    expect(spanIds).toEqual(Array(2).fill([TRACE_ID, SPAN_ID]));
    expect(ended('work')?.parentSpanContext).toBeUndefined();
  });

  it.each<[string, Error, object]>([
    ['a store', new StoreError('postgres', 'timeout'), { 'error.type': 'timeout' }],
    [
      'a statement',
      new StoreError('postgres', 'refused', {
        cause: Object.assign(new Error('Key (id)=(secret)'), { code: '23514' }),
      }),
      { 'error.type': '23514', 'db.response.status_code': '23514' },
    ],
    ['anything else', new TypeError('secret'), { 'error.type': 'TypeError' }],
  ])('tell that %s has failed, and not with which words', async (_what, error, attributes) => {
    await expect(tracing.span(WORK, () => Promise.reject(error))).rejects.toBe(error);
    expect(ended('work')?.attributes).toEqual(attributes);
    expect([ended('work')?.status, ended('work')?.events]).toEqual([{ code: 2 }, []]);
  });

  it('pass on what a trace may carry, and no more', async () => {
    const states = ['a=1,b=2', `a=${'x'.repeat(600)}`, '=,=;;', 'ä=1'];
    const kept = states.map(
      (tracestate) => tracing.begin({ ...WORK, parent: { ...RECORDED, tracestate } }).context.tracestate,
    );
    expect(kept).toEqual(['a=1,b=2', undefined, undefined, undefined]);
    const [later, unknownFlags, ...hostile] = await traceparents(
      `cc-${TRACE_ID}-${SPAN_ID}-01-more`,
      `00-${TRACE_ID}-${SPAN_ID}-ff`,
      'garbage',
      `${RECORDED.traceparent}, ${RECORDED.traceparent}`,
      'x'.repeat(1_000_000),
    );
    for (const known of [later, unknownFlags]) expect(known).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`));
    for (const own of hostile) expect(own).toMatch(new RegExp(`^00-(?!${TRACE_ID})[0-9a-f]{32}-[0-9a-f]{16}-01$`));
  });
});

describe('while no traces are asked for', () => {
  it('work has no span, and no asynchronous context', async () => {
    const run = jest.spyOn(AsyncLocalStorage.prototype, 'run');
    expect(TRACING_OFF.isOn).toBe(false);
    expect(await TRACING_OFF.span(WORK, () => Promise.resolve('done'))).toBe('done');
    expect(await TRACING_OFF.part(PART, (span) => Promise.resolve(span))).toBeUndefined();
    expect(TRACING_OFF.begin(WORK).run(() => 'done')).toBe('done');
    expect(run).not.toHaveBeenCalled();
    run.mockRestore();
  });
});

describe('the way to the collector', () => {
  let receiver: OtlpReceiver;
  const warnings: string[] = [];

  afterEach(async () => {
    for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name];
    warnings.length = 0;
    await receiver.stop();
  });

  async function open(variables: Readonly<Record<string, string>>, hangs = false): Promise<OpenTelemetryTracing> {
    receiver = await startOtlpReceiver({ hangs });
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '5' };
    Object.assign(process.env, endpoint, variables);
    return OpenTelemetryTracing.overOtlp({
      protocol: 'http/json',
      serviceName: 'dossier',
      serviceVersion: '1.2.3',
      instanceId: 'replica-1',
      headers: 'x-one=1, x-two=a%20b=,nonsense',
      warn: (line) => warnings.push(line),
    });
  }

  it('has the headers and the names of the operator', async () => {
    const tracing = await open({
      OTEL_SERVICE_NAME: 'north',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    await tracing.span(WORK, () => Promise.resolve());
    await tracing.onApplicationShutdown();
    expect(receiver.spans.map(({ name, resource }) => [name, resource])).toEqual([
      [
        'work',
        {
          'service.name': 'north',
          'service.version': '1.2.3',
          'service.instance.id': 'replica-1',
          'deployment.environment.name': 'test',
        },
      ],
    ]);
    expect(receiver.requests[0]?.headers).toMatchObject({ 'x-one': '1', 'x-two': 'a b=' });
    expect(warnings).toEqual([]);
  });

  it('obeys the sampler of the operator', async () => {
    const tracing = await open({ OTEL_TRACES_SAMPLER: 'always_off' });
    await tracing.span({ ...WORK, parent: RECORDED }, () => Promise.resolve());
    await tracing.onApplicationShutdown();
    expect(receiver.requests).toEqual([]);
  });

  it('that leads nowhere loses spans, says so, and delays no work', async () => {
    const tracing = await open({ OTEL_EXPORTER_OTLP_TIMEOUT: '50', OTEL_BSP_MAX_QUEUE_SIZE: '600' }, true);
    // Many more than may wait.
    for (let i = 0; i < 10_000; i++) tracing.begin(WORK).end();
    expect(receiver.requests).toEqual([]);
    await until('what could wait is lost', () => warnings.length > 1);
    expect(warnings).toEqual([
      '512 spans are lost: Request timed out',
      expect.stringMatching(/^\d+ spans are lost: Request timed out$/),
    ]);
    const lost = warnings.reduce((sum, line) => sum + Number.parseInt(line, 10), 0);
    expect(lost).toBeLessThanOrEqual(512 + 600);
    await tracing.onApplicationShutdown();
  });
});
