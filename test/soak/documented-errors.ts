import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const INVALID_REQUEST = -32600;
const DOCUMENT = join(__dirname, '../../docs/api.md');

interface WithData {
  readonly data?: Readonly<Record<string, unknown>>;
}

/** `data.code` of an error; undefined if it has none. */
export function wordOf(error: WithData | undefined): string | undefined {
  const word = error?.data?.['code'];
  return typeof word === 'string' ? word : undefined;
}

/** The errors and statuses that docs/api.md names. */
export class DocumentedErrors {
  /** By code: the words that `data.code` may have; none for the errors without `data`. */
  private readonly words = new Map<number, Set<string>>();
  readonly statuses: ReadonlySet<number>;
  /** Of `DELETE /v1/tasks/{task_id}`. */
  readonly restStatuses: ReadonlySet<number>;

  constructor(text = readFileSync(DOCUMENT, 'utf8')) {
    for (const row of rowsOf(section(text, '## Errors'))) this.addRow(row);
    const http = section(text, '## HTTP');
    this.statuses = statusesOf(http);
    this.restStatuses = statusesOf(section(text, '## `DELETE /v1/tasks/{task_id}`'));
    // A refusal that stands beside its status.
    for (const [, word, code] of http.matchAll(/`([A-Z_]+)`[^|]*?with code (-\d+)/g)) this.add(Number(code), word);
  }

  get count(): number {
    return [...this.words.values()].reduce((sum, words) => sum + Math.max(words.size, 1), 0);
  }

  names(error: { readonly code: number } & WithData): boolean {
    const { code } = error;
    const words = this.words.get(code);
    const word = wordOf(error);
    // Some of the errors of the protocol are as its specification prints them.
    return words !== undefined && (word === undefined ? words.size === 0 || code === INVALID_REQUEST : words.has(word));
  }

  private addRow([code = '', , words = '']: readonly string[]): void {
    const number = Number(code);
    if (!Number.isInteger(number)) return;
    this.add(number);
    for (const [, word] of words.matchAll(/`([A-Z][A-Z_]+)`/g)) this.add(number, word);
  }

  private add(code: number, word?: string): void {
    const words = this.words.get(code) ?? new Set();
    this.words.set(code, words);
    if (word !== undefined) words.add(word);
  }
}

function statusesOf(text: string): ReadonlySet<number> {
  return new Set(rowsOf(text).flatMap(([status = '']) => (/^\d{3}$/.test(status) ? [Number(status)] : [])));
}

/** From its title to the next one of the same level. */
function section(text: string, title: string): string {
  const [, behind] = text.split(`\n${title}\n`);
  if (behind === undefined) throw new Error(`docs/api.md has no section "${title}"`);
  return behind.split('\n## ')[0] as string;
}

function rowsOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
