import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { publish, type Publication } from './publication';

/** The build puts it beside the compiled code. */
const FOLDER = join(__dirname, 'page');

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
};

export interface PageFile extends Publication {
  readonly mediaType: string;
}

/** The files of the page. They are read, all together, when the first of them is asked for. */
@Injectable()
export class PageFiles {
  private reading?: Promise<ReadonlyMap<string, PageFile>>;

  /** Undefined if the page has no such file. */
  async get(name: string): Promise<PageFile | undefined> {
    this.reading ??= readFiles();
    try {
      return (await this.reading).get(name);
    } catch (error) {
      // The process had no descriptor left, for example: the next request tries again.
      this.reading = undefined;
      throw error;
    }
  }
}

async function readFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const names = await readdir(FOLDER);
  const served = names.filter((name) => extname(name) in MEDIA_TYPES);
  const files = served.map(async (name): Promise<[string, PageFile]> => {
    const text = await readFile(join(FOLDER, name), 'utf8');
    return [name, { ...publish(text), mediaType: MEDIA_TYPES[extname(name)] as string }];
  });
  return new Map(await Promise.all(files));
}
