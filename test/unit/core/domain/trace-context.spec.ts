import { isTraceparent, isTracestate, traceIdOf } from '../../../../src/core/domain/trace-context';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

describe('a traceparent', () => {
  it.each([
    ['a sampled trace', `00-${TRACE_ID}-${PARENT}-01`],
    ['a trace that is not sampled', `00-${TRACE_ID}-${PARENT}-00`],
    ['flags that are not known', `00-${TRACE_ID}-${PARENT}-ff`],
    ['a later version', `01-${TRACE_ID}-${PARENT}-01`],
    ['a later version with more', `cc-${TRACE_ID}-${PARENT}-01-what-the-future-brings`],
  ])('is accepted with %s', (_what, traceparent) => {
    expect(isTraceparent(traceparent)).toBe(true);
    expect(traceIdOf(traceparent)).toBe(TRACE_ID);
  });

  it.each([
    ['nothing', undefined],
    ['an empty text', ''],
    ['a list', [`00-${TRACE_ID}-${PARENT}-01`]],
    ['two headers, as Node joins them', `00-${TRACE_ID}-${PARENT}-01, 00-${TRACE_ID}-${PARENT}-01`],
    ['capitals', `00-${TRACE_ID.toUpperCase()}-${PARENT}-01`],
    ['no trace', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['no parent', `00-${TRACE_ID}-${'0'.repeat(16)}-01`],
    ['a short trace id', `00-${TRACE_ID.slice(1)}-${PARENT}-01`],
    ['a version that is forbidden', `ff-${TRACE_ID}-${PARENT}-01`],
    ['more than its version has', `00-${TRACE_ID}-${PARENT}-01-more`],
    ['blanks around it', ` 00-${TRACE_ID}-${PARENT}-01 `],
    ['a line feed behind it', `00-${TRACE_ID}-${PARENT}-01\n`],
    ['a huge text', `cc-${TRACE_ID}-${PARENT}-01-${'x'.repeat(1_000_000)}`],
    ['letters beyond f', `00-${'g'.repeat(32)}-${PARENT}-01`],
  ])('is ignored with %s', (_what, traceparent) => {
    expect(isTraceparent(traceparent)).toBe(false);
    expect(traceIdOf(traceparent)).toBeUndefined();
  });
});

describe('a tracestate', () => {
  it.each(['vendor=value', 'a=1, b=2', 'x'.repeat(512)])('can be passed on: %s', (sent) => {
    expect(isTracestate(sent)).toBe(true);
  });

  it.each([undefined, '', 'x'.repeat(513), 'a=1\r\nNats-Msg-Id: other', 'a=\u00e4', ['a=1']])(
    'is dropped: %s',
    (sent) => {
      expect(isTracestate(sent)).toBe(false);
    },
  );
});
