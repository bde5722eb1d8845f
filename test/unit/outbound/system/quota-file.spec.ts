import { parseQuotas, QuotasOfFile } from '../../../../src/outbound/system/quota-file';

describe('the quotas of a file', () => {
  const textOf = (content: unknown) => (typeof content === 'string' ? content : JSON.stringify(content));
  const open = (content: unknown) => new QuotasOfFile(() => parseQuotas(textOf(content)));

  it('gives an organisation its own quota alone, and every other one the default', () => {
    const quotas = open({
      default: { attachments: 10, bytes: 1000 },
      organizations: { acme: { attachments: 0 }, default: {}, __proto__x: { bytes: 5 } },
    });
    expect(quotas.of('acme')).toEqual({ attachments: 0 });
    expect(quotas.of('default')).toEqual({});
    expect(quotas.of('constructor')).toEqual({ attachments: 10, bytes: 1000 });
    expect(open({}).of('acme')).toEqual({});
    expect(open({ organizations: { acme: { bytes: 5 } } }).of('other')).toEqual({});
  });

  it.each([
    ['{"default":{}', /^is not JSON/],
    ['{\n"default":{}\n"x"}', /^is not JSON, at line 3$/],
    [[], /^must be an object$/],
    [{ quotas: {} }, /^must have no members but default and organizations, has "quotas"$/],
    [{ default: null }, /^at default: must be an object$/],
    [
      { default: { attachements: 1 } },
      /^at default: must have no members but attachments and bytes, has "attachements"$/,
    ],
    [{ default: { bytes: '5' } }, /^at default\.bytes: must be an integer from 0 to 9007199254740991$/],
    [{ organizations: [] }, /^at organizations: must be an object$/],
    [{ organizations: { 'a b': { bytes: -1 } } }, /^at organizations\["a b"\]\.bytes: must be an integer from 0 /],
    [
      { organizations: { acme: { attachments: 1.5 } } },
      /^at organizations\["acme"\]\.attachments: must be an integer /,
    ],
  ])('%j is refused in one line that says where', (content, message) => {
    expect(() => parseQuotas(textOf(content))).toThrow(message);
  });
});
