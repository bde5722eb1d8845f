import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AxeResults } from 'axe-core';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { METHODS } from '../../src/inbound/methods/method-descriptions';
import { launchBrowser, openPage, type WatchedPage } from '../support/browser';
import { findOrInstall } from '../support/installed-binary';
import { writeKeyFile, type KeyFile } from '../support/key-file';
import { until } from '../support/poll';
import { startService, type RpcReply, type Service } from '../support/service';
import { STORY } from '../support/story-of-the-examples';

const KEY = { 'x-api-key': 'key-0' };
const SCREENSHOTS = join(tmpdir(), 'dossier-page');
/** Of what a value can hold and a language, a shell or a browser might read in its own way. */
const HOSTILE = `it's "so" \\ $HOME $(id) \`id\` %s {{.Count}} ü 😀 \u2028 <img src=x onerror=alert(1)></script><script>alert(2)</script>`;
const run = promisify(execFile);

describe('the page', () => {
  let keys: KeyFile;
  let service: Service;
  let browser: Browser;
  let watched: WatchedPage;
  let page: Page;

  beforeAll(async () => {
    keys = writeKeyFile(1);
    const start = startService({ DATABASE_URL: 'memory', INSTANCE_ID: 'billing', API_KEYS_FILE: keys.path });
    [service, browser] = await Promise.all([start, launchBrowser()]);
    watched = await openPage(browser, service.url);
    ({ page } = watched);
    await page.goto(`${service.url}/`);
    await heading('Tasks, and what belongs to them');
  });
  afterAll(async () => {
    await browser?.close();
    await service?.kill();
    keys?.remove();
  });

  const heading = (name: string, on = page) => on.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  const enterKey = (key = KEY['x-api-key'], on = page) => on.getByLabel('Credential').fill(key);
  const open = async (method: string, on = page) => {
    await on.goto(`${service.url}/docs#${method}`);
    await heading(method, on);
    await enterKey(KEY['x-api-key'], on);
  };
  const field = (name: string) => page.getByLabel(name, { exact: true });
  const code = (region: string) => page.getByRole('region', { name: region, exact: true }).locator('code');
  const hasFocus = async (wanted: Locator) => expect(await page.locator(':focus').and(wanted).count()).toBe(1);
  const replied = async (send: () => Promise<void>): Promise<RpcReply> => {
    await Promise.all([page.waitForResponse(/\/rpc$/), send()]);
    await page.locator('.outcome.success, .outcome.error').waitFor();
    return JSON.parse((await code('Reply').textContent()) as string) as RpcReply;
  };
  const press = () => replied(() => page.getByRole('button', { name: 'Send' }).click());

  it('is the same at / and at /docs, needs no credential, and is not sent again to a browser that has it', async () => {
    const [root, docs] = await Promise.all([service.fetch('/'), service.fetch('/docs')]);
    expect([root.status, root.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect([docs.status, docs.text]).toEqual([200, root.text]);
    expect(root.headers.get('content-security-policy')?.split('; ')).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
      ]),
    );
    expect(root.headers.get('cache-control')).toBe('no-cache');
    const etag = root.headers.get('etag') as string;
    expect((await service.fetch('/docs', { headers: { 'if-none-match': etag } })).status).toBe(304);
  });

  it('is a few small files, and nothing else of the service is beside them', async () => {
    const { page: another } = await openPage(browser, service.url);
    const sizes: number[] = [];
    another.on('response', (response) => void response.body().then((body) => sizes.push(body.length)));
    await another.goto(`${service.url}/`, { waitUntil: 'networkidle' });
    await another.context().close();
    expect(sizes.length).toBeGreaterThan(10);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(180_000);
    for (const path of ['tsconfig.json', '..%2fpage-files.js', 'page-files.js', 'constructor']) {
      const { status, text } = await service.fetch(`/docs/${path}`);
      expect([path, status, JSON.parse(text)]).toEqual([path, 404, expect.objectContaining({ statusCode: 404 })]);
    }
  });

  it('lets the keyboard alone find a method and call it, first without and then with a credential', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('task.create');
    await page.keyboard.press('Enter');
    await heading('task.create');
    expect(new URL(page.url()).hash).toBe('#task.create');
    await page.keyboard.press('Tab');
    await hasFocus(field('text'));
    await page.keyboard.type('Write the report');

    const [request, refused] = await Promise.all([
      page.waitForRequest(/\/rpc$/),
      replied(() => page.keyboard.press('Control+Enter')),
    ]);
    // While authentication is off, calls of other origins are refused.
    expect(await request.headerValue('origin')).toBe(service.url);
    expect(refused.error).toMatchObject({ code: -32002, data: { code: 'UNAUTHORIZED' } });
    expect(await page.getByLabel('Credential').getAttribute('aria-invalid')).toBe('true');
    await page.getByText('Enter an API key or an access token at the top of the page.').waitFor();

    await enterKey('an ellipsis…');
    await field('text').focus();
    const unreadable = await replied(() => page.keyboard.press('Control+Enter'));
    expect(unreadable.error).toMatchObject({ data: { code: 'UNAUTHORIZED' } });

    await enterKey();
    await field('text').focus();
    const { result } = await replied(() => page.keyboard.press('Control+Enter'));
    expect(result).toMatchObject({ text: 'Write the report', status: 'pending' });
    expect(await page.getByText(/^HTTP 200 · [\d,]+ ms · \d+ bytes$/).count()).toBe(1);
    await page.getByText('Request', { exact: true }).click();
    expect(JSON.parse((await code('Request').textContent()) as string)).toMatchObject({
      method: 'task.create',
      params: { text: 'Write the report' },
    });
  });

  it('finds a parameter, and shows it', async () => {
    await page.getByRole('combobox', { name: 'Search methods and fields' }).fill('ttl');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await heading('task.create');
    expect(await page.locator('.marked .name').textContent()).toBe('ttlSeconds');
  });

  it('shows what is wrong at the fields that the service names', async () => {
    await open('task.create_attachment');
    expect(await field('value').isVisible()).toBe(false);
    await field('type').selectOption('text');
    await field('taskId').fill('not a task id');
    await field('content').fill('x');
    expect((await press()).error).toMatchObject({ code: -32602, data: { code: 'INVALID_PARAMS' } });
    for (const [name, message] of [
      ['taskId', /must be 1 to 128 characters/],
      ['key', /must be a string of 1 to 100 characters/],
    ] as const) {
      expect(await field(name).getAttribute('aria-invalid')).toBe('true');
      const described = (await field(name).getAttribute('aria-describedby')) as string;
      expect(await page.locator(`#${described.split(' ').at(-1)}`).textContent()).toMatch(message);
    }
    expect(await field('content').getAttribute('aria-invalid')).toBeNull();

    await open('task.get_attachments_batch');
    await page.getByRole('button', { name: 'Add another' }).click();
    const second = page.getByRole('group', { name: '[1]' });
    await field('taskId').first().fill('a');
    await field('key').first().fill('a');
    await second.getByLabel('taskId').fill('b');
    await press();
    expect(await second.getByLabel('key').getAttribute('aria-invalid')).toBe('true');
    expect(await page.locator('[aria-invalid="true"]').count()).toBe(1);
    await hasFocus(second.getByLabel('key'));
  });

  it('takes all params as JSON, too, and says what is not JSON or cannot be shown in fields', async () => {
    await open('task.list');
    await field('limit').fill('2');
    await page.getByRole('button', { name: 'Edit as JSON' }).click();
    expect(JSON.parse(await field('params').inputValue())).toEqual({ limit: 2 });
    await field('params').fill('{"limit": 2,}');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText(/^is not JSON: /).waitFor();
    await page.getByRole('button', { name: 'Edit in fields' }).click();
    expect(await page.getByText(/^is not JSON: /).textContent()).not.toMatch(/is not JSON.*is not JSON/);
    await field('params').fill('{"parentId": null, "limitt": 2}');
    expect((await press()).error?.data).toMatchObject({ errors: [{ field: 'limitt' }] });
    await page.getByText(/^limitt /).waitFor();
    await field('params').fill('{"parentId": null}');
    expect((await press()).result).toMatchObject({ totalCount: 1 });
    await field('params').fill('{"parentId": }');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('Nothing was sent: what is marked cannot be.').waitFor();
    expect(await code('Reply').isVisible()).toBe(false);
    await field('params').fill('{"assignedTo": null}');
    await page.getByRole('button', { name: 'Edit in fields' }).click();
    await page.getByText('The fields cannot show this value of "assignedTo".').waitFor();
    await field('params').fill('{"status": ["pending", "failed"], "order": "desc"}');
    await page.getByRole('button', { name: 'Edit in fields' }).click();
    expect(await field('failed').isChecked()).toBe(true);
    expect(await field('order').inputValue()).toBe('"desc"');
  });

  it('has a box for null, if null means something', async () => {
    await service.result('task.create', { id: 'above', text: 'x' }, KEY);
    await service.result('task.create', { id: 'below', text: 'x', parentId: 'above', priority: 99 }, KEY);
    await open('task.list');
    await page.getByRole('button', { name: 'Clear' }).click();
    await field('priority').fill('99');
    await field('parentId').fill('above');
    expect((await press()).result).toMatchObject({ totalCount: 1 });
    await field('null: only tasks without a parent').check();
    expect(await field('parentId').isDisabled()).toBe(true);
    expect((await press()).result).toMatchObject({ totalCount: 0 });
    await page.getByRole('button', { name: 'Edit as JSON' }).click();
    expect(JSON.parse(await field('params').inputValue())).toEqual({ priority: 99, parentId: null });
    await field('params').fill('{"parentId": null}');
    await page.getByRole('button', { name: 'Edit in fields' }).click();
    expect(await field('null: only tasks without a parent').isChecked()).toBe(true);
    await page.getByRole('button', { name: 'Clear' }).click();
    expect(await field('null: only tasks without a parent').isChecked()).toBe(false);
    expect(await field('parentId').isEnabled()).toBe(true);
  });

  it('shows the events of a task as they happen', async () => {
    await service.result('task.create', { id: 'watched', text: 'x' }, KEY);
    await open('task.get');
    await field('id').fill('watched');
    expect(await field('Task').inputValue()).toBe('watched');
    await page.getByRole('button', { name: 'Follow' }).click();
    await page.getByText('Following', { exact: true }).waitFor();
    const params = { taskId: 'watched', key: '<b>bold</b>', type: 'text', content: 'x' };
    await service.result('task.create_attachment', params, KEY);
    await service.result('task.create', { text: 'of another task' }, KEY);
    await service.result('task.update', { id: 'watched', updates: { priority: 1 } }, KEY);
    const events = page.getByRole('list', { name: 'Events, the latest first' }).getByRole('listitem');
    await events.nth(1).waitFor();
    expect(await events.locator('summary code').allTextContents()).toEqual(['task.updated', 'task.attachment_created']);
    expect(await events.nth(1).locator('.subject').textContent()).toBe('<b>bold</b>');
    await events.nth(1).locator('summary').click();
    const { payload } = JSON.parse((await events.nth(1).locator('pre').textContent()) as string) as { payload: object };
    expect(payload).toMatchObject({ taskId: 'watched', key: '<b>bold</b>', type: 'text' });
    await page.getByRole('button', { name: 'Stop' }).click();

    await field('Task').fill('');
    await page.getByRole('button', { name: 'Follow' }).click();
    await page.getByText('Following', { exact: true }).waitFor();
    await service.result('task.create_attachment', { ...params, key: 'of-all' }, KEY);
    await events.first().waitFor();
    expect(await events.first().locator('.subject').textContent()).toBe('watched of-all');
    await page.getByRole('button', { name: 'Stop' }).click();

    await enterKey('wrong');
    await page.getByRole('button', { name: 'Follow' }).click();
    await page.getByText('401 Invalid or missing API key').waitFor();
    expect(await page.getByLabel('Credential').getAttribute('aria-invalid')).toBe('true');
  });

  it('shows markup in values and keys as text', async () => {
    const value = { [HOSTILE]: HOSTILE };
    await service.result('task.create', { id: 'hostile', text: HOSTILE }, KEY);
    await service.result(
      'task.create_attachment',
      { taskId: 'hostile', key: HOSTILE.slice(0, 100), type: 'json', value },
      KEY,
    );
    await open('task.list_attachments');
    await field('taskId').fill('hostile');
    expect((await press()).result).toMatchObject({ attachments: [{ key: HOSTILE.slice(0, 100), value }] });
    expect(await page.locator('main :is(img, script, svg, style, iframe)').count()).toBe(0);
  });

  describe('gives the same call', () => {
    const LANGUAGES = [
      { name: 'curl', command: 'sh', args: ['-c'] },
      { name: 'JavaScript', command: process.execPath, args: ['--input-type=module', '--eval'] },
      { name: 'Python', command: findOrInstall('python3'), args: ['-c'] },
    ];
    const snippet = async (language: string) => {
      await page.getByRole('tab', { name: language }).click();
      return (await code('The same call').textContent()) as string;
    };

    it.each(LANGUAGES)('in $name, whatever it holds', async ({ name, command, args }) => {
      const env = { ...process.env, DOSSIER_KEY: KEY['x-api-key'] };
      // Numbers that a language would spell in another way, and a name that is special in one of them.
      for (const [key, value] of [
        ['plain', JSON.stringify([HOSTILE, true, null, { deep: [1.5, -7, ''] }])],
        ['exact', '{"2":1,"1":12345678901234567890,"__proto__":1e400,"half":"\\ud800","0":{"a":1,"a":"\\u00fc\'"}}'],
      ] as const) {
        await open('task.create_attachment');
        await field('taskId').fill('hostile');
        await field('key').fill(`${key} '"\\ü😀`);
        await field('type').selectOption('json');
        await field('value').fill(value);
        const { result = {} } = JSON.parse(
          (await run(command, [...args, await snippet(name)], { env })).stdout,
        ) as RpcReply;
        expect(result).toMatchObject({ taskId: 'hostile', key: `${key} '"\\ü😀`, type: 'json' });

        await open('task.get_attachment');
        await field('taskId').fill('hostile');
        await field('key').fill(`${key} '"\\ü😀`);
        const shown = await press();
        expect((await code('Reply').textContent())?.replace(/\s/g, '')).toContain(
          `"value":${value.replace(/\s/g, '')},`,
        );
        const again = JSON.parse((await run(command, [...args, await snippet(name)], { env })).stdout) as RpcReply;
        expect(again.result).toEqual(shown.result);
        expect(again.result).toMatchObject({ version: result['version'] });
      }
    });

    it('with an access token instead of a key, as soon as one is entered', async () => {
      await open('task.get');
      expect(await snippet('curl')).toContain('"x-api-key: $DOSSIER_KEY"');
      await enterKey('eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl');
      await code('The same call').getByText('"authorization: Bearer $DOSSIER_TOKEN"').waitFor();
      await page.getByText('Put your token into the variable DOSSIER_TOKEN.').waitFor();
    });

    it('in the nats command, without the template that it might take a value for', async () => {
      await open('task.get_attachment');
      await field('taskId').fill('hostile');
      await field('key').fill(HOSTILE.slice(0, 100));
      const script = `nats() { printf '%s\\n' "$#" "$@"; }\n${await snippet('NATS')}`;
      const { stdout } = await run('sh', ['-c', script], { env: { ...process.env, DOSSIER_KEY: 'a key' } });
      const [count, ...args] = stdout.trimEnd().split('\n');
      expect([count, ...args.slice(0, 4)]).toEqual(['5', 'request', 'task.get_attachment', '-H', 'x-api-key:a key']);
      expect(args[4]).not.toContain('{{');
      expect(JSON.parse(args[4] as string)).toEqual({ taskId: 'hostile', key: HOSTILE.slice(0, 100) });
    });
  });

  it('calls every method from its examples', async () => {
    await service.result('task.create', { id: 'order-4712', text: 'a task that is cancelled' }, KEY);
    const called: string[] = [];
    for (const name of STORY) {
      const { examples } = METHODS.find((method) => method.name === name)!;
      await page.getByRole('navigation').getByRole('link', { name, exact: true }).click();
      await heading(name);
      for (const [index, example] of examples.entries()) {
        await page.getByRole('button', { name: 'Use in the form' }).nth(index).click();
        const { result = {} } = await press();
        expect([name, Object.keys(result)]).toEqual([
          name,
          expect.arrayContaining(Object.keys(example.result).slice(0, 2)),
        ]);
      }
      called.push(name);
    }
    expect(called.sort()).toEqual(METHODS.map(({ name }) => name).sort());
  });

  it('keeps the credential in its input alone', async () => {
    await open('task.get');
    expect(await page.getByLabel('Credential').inputValue()).toBe(KEY['x-api-key']);
    expect(await page.evaluate('[localStorage.length, sessionStorage.length, document.cookie]')).toEqual([0, 0, '']);
    expect(await page.evaluate('document.documentElement.outerHTML + location.href')).not.toContain(KEY['x-api-key']);
    await page.reload();
    await heading('task.get');
    expect(await page.getByLabel('Credential').inputValue()).toBe('');
  });

  it('has asked no other origin for anything, and the browser has complained about nothing', () => {
    expect([watched.foreignRequests, watched.complaints]).toEqual([[], []]);
  });

  it('can neither reach another origin nor read text as markup, even if one of its scripts tried', async () => {
    const { page: another, foreignRequests, complaints } = await openPage(browser, service.url);
    await another.goto(`${service.url}/`);
    await heading('Tasks, and what belongs to them', another);
    const attempts = `Promise.allSettled([
      fetch('https://elsewhere.example/'),
      Promise.resolve().then(() => (document.body.innerHTML = '<p>markup</p>')),
    ]).then((results) => results.map(({ status }) => status))`;
    expect(await another.evaluate(attempts)).toEqual(['rejected', 'rejected']);
    await until('both are reported', () => complaints.some((text) => text.startsWith('require-trusted-types-for')));
    expect(complaints).toContainEqual(expect.stringContaining('connect-src'));
    expect(foreignRequests).toEqual([]);
    await another.context().close();
  });

  it('opens in no frame of another page', async () => {
    const frame = `<iframe src="${service.url}/docs"></iframe>`;
    const { page: another } = await openPage(browser, service.url);
    await another.setContent(frame);
    await until('the frame is refused', () => another.frames()[1]?.url() === 'chrome-error://chromewebdata/');
    await another.context().close();
  });

  describe.each([1280, 360])('%d pixels wide', (width) => {
    const openWide = (options: BrowserContextOptions = {}) =>
      openPage(browser, service.url, { viewport: { width, height: 900 }, ...options });
    /** The page itself is never scrolled sideways. */
    const expectToFit = async (on: Page, name: string) =>
      expect([name, await on.evaluate('document.documentElement.scrollWidth')]).toEqual([name, width]);
    /** What is folded within is made when it is opened, in the next iteration of the event loop. */
    const unfold = (on: Page) =>
      on.evaluate(`(async () => {
        const closed = () => [...document.querySelectorAll('main details:not([open])')];
        for (let found = closed(); found.length > 0; found = closed()) {
          for (const one of found) one.open = true;
          await new Promise((next) => setTimeout(next));
        }
      })()`);

    it.each(['light', 'dark'] as const)('in %s colours can be read and used by everyone', async (colorScheme) => {
      mkdirSync(SCREENSHOTS, { recursive: true });
      // The tool that looks for problems is a script from outside.
      const { page: another } = await openWide({ colorScheme, bypassCSP: true });
      await another.addInitScript({ content: readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8') });
      const picture = async (name: string) => {
        await expectToFit(another, name);
        await another.screenshot({ path: join(SCREENSHOTS, `${name}-${width}-${colorScheme}.png`) });
      };
      const expectAccessible = async () => {
        const { violations } = await another.evaluate<AxeResults>('axe.run()');
        expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
      };
      await another.goto(`${service.url}/`);
      await heading('Tasks, and what belongs to them', another);
      await picture('overview');
      if (width === 1280) await expectAccessible();
      await another.getByRole('combobox', { name: 'Search' }).fill('version');
      await picture('search');
      await open('task.create_attachment', another);
      await another.getByRole('button', { name: 'Use in the form' }).first().click();
      await another.getByLabel('taskId', { exact: true }).fill('not a task');
      await another.getByRole('button', { name: 'Send' }).click();
      await another.locator('.outcome.error').waitFor();
      await unfold(another);
      await picture('method');
      await expectAccessible();
      await another.keyboard.press('Tab');
      expect(await another.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
      await another.context().close();
    });

    it('has room for every method', async () => {
      const { page: another } = await openWide();
      for (const { name } of METHODS) {
        await open(name, another);
        await unfold(another);
        await expectToFit(another, name);
      }
      await another.context().close();
    });
  });
});
