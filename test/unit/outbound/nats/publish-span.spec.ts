import { traceHeaders } from '../../../../src/outbound/nats/publish-span';

const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const headersOf = (given: Parameters<typeof traceHeaders>[0]) => {
  const headers = traceHeaders(given);
  return headers.keys().map((name) => [name, headers.get(name)]);
};

describe('the headers of the message of an event', () => {
  it('name the trace', () => {
    expect(headersOf({ traceparent })).toEqual([['traceparent', traceparent]]);
    expect(headersOf({ traceparent, tracestate: 'a=1' })).toEqual([
      ['traceparent', traceparent],
      ['tracestate', 'a=1'],
    ]);
  });

  it('leave out what is no trace, so that the event goes out all the same', () => {
    expect(headersOf({ traceparent, tracestate: 'a=1\r\nNats-Msg-Id: other' })).toEqual([['traceparent', traceparent]]);
    expect(headersOf({ traceparent: 'garbage\r\n', tracestate: 'a=1' })).toEqual([]);
  });
});
