import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeIn } from '../support/documented-code';
import { installClient } from '../support/installed-client';
import type { RpcReply, Service } from '../support/service';
import { startEmbedded } from './support/start-embedded';

const ROOT = join(__dirname, '../..');
const CALLS = 9;
const run = promisify(execFile);

const only = <T>(found: readonly T[]): T => {
  expect(found).toHaveLength(1);
  return found[0] as T;
};

let service: Service;

beforeAll(async () => {
  service = await startEmbedded();
});
afterAll(() => service?.kill());

describe('the quick start of the README', () => {
  const paste = async (shell: string) => {
    const block = only(codeIn('README.md', 'sh', service.url).filter((code) => code.includes('rpc()')));
    const { stdout, stderr } = await run(shell, ['-c', block]);
    expect(stderr).toBe('');
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as RpcReply);
  };

  it('gives nine right replies, and nine right replies again when it is pasted twice', async () => {
    const first = await paste('sh');
    const second = await paste('bash');
    for (const replies of [first, second]) {
      expect(replies.map(({ id }) => id)).toEqual(Array.from({ length: CALLS }, (_, i) => i + 1));
      expect(replies.filter(({ error }) => error)).toEqual([]);
      expect(replies[5]?.result).toMatchObject({ value: { complexity: 'high', estimatedHours: 8 } });
      expect(replies[7]?.result).toMatchObject({ deleted: true });
    }
    expect(first[6]?.result).toMatchObject({ totalCount: 4 });
    // The completion has stored its result as an attachment.
    expect(second[6]?.result).toMatchObject({ totalCount: 5 });
    expect(second[0]?.result).toEqual({ ...first[0]?.result, replayed: true });
    expect(second[1]?.result).toMatchObject({ replaced: true });
    expect(second[8]?.result).toEqual(first[8]?.result);
  });
});

describe('the examples of the guide', () => {
  const example = (language: string, part: string) =>
    only(codeIn('docs/guide.md', language, service.url).filter((code) => code.includes(part)));

  it('in JavaScript run', async () => {
    const code = example('js', 'async function rpc');
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code]);
    expect(stdout).toBe('All is well.\n');
  });

  it('in JavaScript with the client run one after the other', async () => {
    const client = await installClient();
    try {
      const examples = codeIn('docs/guide.md', 'js', service.url).filter((code) => code.includes('dossier.'));
      expect(examples).toHaveLength(2);
      expect(await client.run(examples.join('\n'))).toBe('All is well.\ndone is there\n');
    } finally {
      client.remove();
    }
  });

  it('of paging in JavaScript get every attachment', async () => {
    await service.result('task.create', { id: 'paged', text: 'x' });
    for (let i = 0; i < 105; i++) {
      await service.result('task.create_attachment', { taskId: 'paged', key: `${i}`, type: 'text', content: 'x' });
    }
    const [definition = ''] = example('js', 'async function rpc').split('\nconst {', 1);
    const paging = example('js', 'hasMore').replace("'demo'", "'paged'");
    const program = `${definition}\n${paging}\nconsole.log(new Set(attachments.map(({ key }) => key)).size);`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program]);
    expect(stdout).toBe('105\n');
  });

  it('in shell that create a key run', async () => {
    const command = example('sh', 'keys:create');
    const { stdout } = await run('sh', ['-c', command], { cwd: ROOT });
    expect(stdout).toMatch(/^key, shown only now: dossier_\S+\nentry: \{.*"name":"alice","organization":"acme".*\}\n$/);
  });
});
