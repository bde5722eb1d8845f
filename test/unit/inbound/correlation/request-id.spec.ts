import { requestIdOf } from '../../../../src/inbound/correlation/request-id';

describe('the id of a request', () => {
  it.each(['r', '01J9-ABC_def.~', 'x'.repeat(128), '{"a":1}'])('is the one that the sender gave: %s', (sent) => {
    expect(requestIdOf(sent)).toBe(sent);
  });

  it.each([
    ['nothing', undefined],
    ['an empty header', ''],
    ['a long one', 'x'.repeat(129)],
    ['a huge one', 'x'.repeat(1_000_000)],
    ['two headers, as Node joins them', 'first, second'],
    ['a list', ['first', 'second']],
    ['a line feed', 'first\nsecond'],
    ['a carriage return and a header', 'first\r\nset-cookie: a=b'],
    ['a control character', 'first\u0007'],
    ['an escape sequence of a terminal', '\u001b[31mred'],
    ['what is not ASCII', 'prüfung'],
    ['a unit that is no character', '\ud800'],
  ])('is a new one for %s', (_what, sent) => {
    const id = requestIdOf(sent);
    expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(requestIdOf(sent)).not.toBe(id);
  });
});
