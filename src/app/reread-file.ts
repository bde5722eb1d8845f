import { constants, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { types } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { ConfigError } from './environment';
import { SpareDescriptor } from './spare-descriptor';

/** Well within the ten seconds in which a change must take effect; reading one small file costs next to nothing. */
const REREAD_INTERVAL_MS = 1000;

export interface FileFormat<Content> {
  /** The variable that names the file. */
  readonly variable: string;
  /** What stays valid if the file becomes unusable, as the log calls it. */
  readonly kind: 'keys' | 'quotas';
  /** Throws what is wrong in one line, which never quotes the file: it may hold a secret by mistake. */
  readonly parse: (text: string) => Content;
  /** What the log says after a change. */
  readonly describe: (content: Content) => string;
}

/** A file of settings whose changes take effect while the process runs. */
export class RereadFile<Content> {
  private readonly spare = new SpareDescriptor();
  private text: string | undefined;
  private parsed: Content;

  /** Throws `ConfigError`. */
  constructor(
    private readonly path: string,
    private readonly format: FileFormat<Content>,
    private readonly logger: LoggerService,
    private readonly readFile: (path: string) => Promise<string> = readText,
  ) {
    try {
      this.text = readFileSync(path, 'utf8');
      this.parsed = format.parse(this.text);
    } catch (error) {
      throw new ConfigError(`${format.variable} ${reasonOf(error)}`);
    }
  }

  /** Of the last version of the file that could be used. */
  get content(): Content {
    return this.parsed;
  }

  /** From now on a change takes effect by itself. */
  watch(): this {
    setTimeout(() => void this.reread().finally(() => this.watch()), REREAD_INTERVAL_MS).unref();
    return this;
  }

  /** Never rejects. Compares texts: a mounted or replaced file may keep its time and its size. */
  async reread(): Promise<void> {
    const { variable, kind, parse, describe } = this.format;
    let text: string | undefined;
    try {
      text = await this.read();
      if (text === this.text) return;
      this.parsed = parse(text);
      this.logger.log(`${variable} has changed: ${describe(this.parsed)}`);
    } catch (error) {
      // One line for each change, not for each time that the file is read.
      if (text === undefined && this.text === undefined) return;
      this.logger.error(`${variable} ${reasonOf(error)}: the ${kind} read before stay valid`);
    }
    this.text = text;
  }

  private async read(): Promise<string> {
    try {
      return await this.readFile(this.path);
    } catch (error) {
      if (!isOutOfDescriptors(error)) throw error;
      return this.spare.use(() => readFileSync(this.path, 'utf8'));
    }
  }
}

/** A pipe in the place of the file would be waited for, and would keep the process from ending. */
function readText(path: string): Promise<string> {
  return readFile(path, { encoding: 'utf8', flag: constants.O_RDONLY | constants.O_NONBLOCK });
}

function isOutOfDescriptors(error: unknown): boolean {
  return ['EMFILE', 'ENFILE'].includes(codeOf(error) ?? '');
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return code === undefined ? (error as Error).message : `cannot be read (${code})`;
}

/** Of an error of the system; undefined for what a parser throws. */
function codeOf(error: unknown): string | undefined {
  return types.isNativeError(error) && 'code' in error ? String(error.code) : undefined;
}
