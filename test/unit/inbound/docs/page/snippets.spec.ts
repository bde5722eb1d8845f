import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';

interface Call {
  readonly url: string;
  readonly method: string;
  readonly params: string;
  readonly id: number;
  readonly subject: string;
  readonly needsCredential: boolean;
  readonly hasToken?: boolean;
}

interface Snippets {
  readonly requestText: (call: Call) => string;
  readonly LANGUAGES: readonly { readonly name: string; readonly write: (call: Call) => string }[];
}

/** Scripts of the browser, which the compiler checks apart from the service. */
const { LANGUAGES, requestText } = jest.requireActual<Snippets>('../../../../../src/inbound/docs/page/snippets.js');

const SEED = 4711;
const callWith = (params: string): Call => ({
  url: 'http://127.0.0.1:3000/rpc',
  method: 'task.get',
  params,
  id: 7,
  subject: 'task.get',
  needsCredential: false,
});
const write = (language: string, call: Call) => LANGUAGES.find(({ name }) => name === language)!.write(call);

/** Characters that shells, languages and templates read in their own way come often. */
const text = fc.string({
  unit: fc.constantFrom(...`'"\\\`$!{}%#&;<>|*?~ \n\t\u2028ü😀aà-/`, '{{', '\ud800', '\\u0041'),
});
const number = fc.constantFrom('0', '-0', '1.50', '1e400', '1E-7', '0.00001', '12345678901234567890', '7');
const { value: json } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text.map((one) => JSON.stringify(one)),
    number,
    fc.constantFrom('true', 'false', 'null', '"\\/"', '"\\u00fc"'),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join(' , ')}]`),
    fc
      .array(fc.tuple(fc.oneof(text, fc.constantFrom('__proto__', '2', '1')), tie('value')), { maxLength: 3 })
      .map((members) => `{${members.map(([name, value]) => `${JSON.stringify(name)} : ${value}`).join(',\n')}}`),
  ),
}));
const params = fc.array(json, { minLength: 1, maxLength: 2 }).map((values) => `{"a": ${values.join(', "b": ')}}`);

describe('the snippets of the page', () => {
  it('in JavaScript send the very text of the call', () => {
    fc.assert(
      fc.property(params, (given) => {
        const call = callWith(given);
        const sent: string[] = [];
        const fetch = (_url: string, { body }: { body: string }) => void sent.push(body);
        const code = write('JavaScript', call)
          .replaceAll('await ', '')
          .replace(/\nconsole.*$/, '');
        // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
        new Function('fetch', code)(fetch);
        expect(sent).toEqual([requestText(call)]);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it.each(['curl', 'NATS'])('for a shell (%s) give the command the JSON as one argument', (language) => {
    const given = fc.sample(params, { seed: SEED, numRuns: 100 });
    const commands = given.map((one) => write(language, callWith(one)));
    // Each argument on a line of its own, in hexadecimal digits.
    const show = `{ for a; do printf %s "$a" | od -An -v -tx1 | tr -d ' \\n'; echo; done; }`;
    const script = `curl() ${show}\nnats() ${show}\n${commands.join('\n')}\n`;
    const lines = execFileSync('sh', { input: script, encoding: 'utf8' }).trimEnd().split('\n');
    const argumentsEach = language === 'curl' ? 6 : 3;
    const bodies = lines.filter((_, index) => index % argumentsEach === argumentsEach - 1);
    expect(bodies.map((hex) => JSON.parse(Buffer.from(hex, 'hex').toString()) as unknown)).toEqual(
      given.map((one) => JSON.parse(language === 'curl' ? requestText(callWith(one)) : one) as unknown),
    );
  });

  it('name a variable in the place of the credential', () => {
    for (const { write } of LANGUAGES) {
      expect(write({ ...callWith('{}'), needsCredential: true })).toContain('DOSSIER_KEY');
      expect(write(callWith('{}'))).not.toContain('DOSSIER_KEY');
    }
  });

  describe('with an access token, which the service takes in another header than a key,', () => {
    const call = { ...callWith('{}'), needsCredential: true, hasToken: true };

    it.each([
      ['curl', 'authorization: Bearer a.b.c'],
      ['NATS', 'authorization:Bearer a.b.c'],
    ])('give it to the command (%s)', (language, header) => {
      const show = `{ printf '%s\\n' "$@"; }`;
      const input = `DOSSIER_TOKEN=a.b.c\ncurl() ${show}\nnats() ${show}\n${write(language, call)}\n`;
      expect(execFileSync('sh', { input, encoding: 'utf8' }).split('\n')).toContain(header);
    });

    it('send it in JavaScript', () => {
      const sent: unknown[] = [];
      const fetch = (_url: string, { headers }: { headers: object }) => void sent.push(headers);
      const code = write('JavaScript', call)
        .replaceAll('await ', '')
        .replace(/\nconsole.*$/, '');
      // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
      new Function('fetch', 'process', code)(fetch, { env: { DOSSIER_TOKEN: 'a.b.c' } });
      expect(sent).toEqual([{ 'content-type': 'application/json', authorization: 'Bearer a.b.c' }]);
    });

    it('send it in Python', () => {
      expect(write('Python', call)).toContain('"authorization": "Bearer " + os.environ["DOSSIER_TOKEN"]');
    });
  });
});
