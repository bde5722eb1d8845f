import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoggerService } from '@nestjs/common';
import { openQuotas } from '../../../../src/app/open-quotas';
import { QuotaFile } from '../../../../src/outbound/system/quota-file';

describe('QuotaFile', () => {
  let folder: string;
  let path: string;
  let logged: string[];
  const note = (line: string) => void logged.push(line);
  const logger: LoggerService = { log: note, error: note, warn: note };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dossier-quotas-'));
    path = join(folder, 'quotas.json');
    logged = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (content: unknown) =>
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  const open = (content: unknown) => {
    write(content);
    return QuotaFile.open(path, logger);
  };

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
    let refusal: unknown;
    try {
      open(content);
    } catch (error) {
      refusal = error;
    }
    expect((refusal as Error).message).toMatch(message);
    expect(() => openQuotas({ quotasFile: path })).toThrow(`QUOTAS_FILE ${(refusal as Error).message}`);
  });

  it('a missing file is refused, and no file is no quota', () => {
    expect(() => openQuotas({ quotasFile: path })).toThrow('QUOTAS_FILE cannot be read (ENOENT)');
    expect(openQuotas({}).of('acme')).toEqual({});
  });

  it('a changed file takes effect by itself, and a broken one leaves the old quotas and says so once', async () => {
    const quotas = open({ default: { bytes: 1 } });
    write({ default: { bytes: 2 } });
    await quotas.reread();
    expect(quotas.of('acme')).toEqual({ bytes: 2 });
    expect(logged).toEqual(['QUOTAS_FILE has changed: 0 organisations are named']);
    for (const breakFile of [() => write('{'), () => rmSync(path)]) {
      logged.length = 0;
      breakFile();
      await quotas.reread();
      await quotas.reread();
      expect(quotas.of('acme')).toEqual({ bytes: 2 });
      expect(logged).toEqual([expect.stringMatching(/^QUOTAS_FILE .*: the quotas read before stay valid$/)]);
    }
    write({ default: { bytes: 3 } });
    await quotas.reread();
    expect(quotas.of('acme')).toEqual({ bytes: 3 });
  });

  it('the file is read again within ten seconds', async () => {
    jest.useFakeTimers();
    try {
      const quotas = open({});
      const reread = jest.spyOn(quotas, 'reread');
      quotas.watch();
      await jest.advanceTimersByTimeAsync(10_000);
      expect(reread).toHaveBeenCalled();
    } finally {
      jest.useRealTimers();
    }
  });
});
