import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RedisServer } from '../support/redis-server';
import { withRedis } from '../support/setups';

/** The files from which an append-only server starts. To be changed only while it is not running. */
export class AppendOnlyFiles {
  private constructor(private readonly folder: string) {}

  /** Of a server that is running. */
  static async of({ url }: RedisServer): Promise<AppendOnlyFiles> {
    const setting = async (name: string) => (await withRedis(url, (redis) => redis.config('GET', name))) as string[];
    const [[, folder], [, name]] = await Promise.all([setting('dir'), setting('appenddirname')]);
    return new AppendOnlyFiles(join(folder as string, name as string));
  }

  /** Copies what has been written so far; the server may go on writing meanwhile. */
  copy(): Promise<void> {
    return cp(this.folder, this.copyFolder, { recursive: true });
  }

  /** The server starts as it was when it was copied. */
  async putBackCopy(): Promise<void> {
    await this.remove();
    await cp(this.copyFolder, this.folder, { recursive: true });
  }

  /** The server starts empty. */
  remove(): Promise<void> {
    return rm(this.folder, { recursive: true });
  }

  /** Next to the files, in the folder that is removed with the server. */
  private get copyFolder(): string {
    return `${this.folder}-copy`;
  }
}
