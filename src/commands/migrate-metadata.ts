import { loadConfig } from '../app/config';
import { ConvertRetiredData } from '../core/use-cases/upkeep/convert-retired-data';
import { EXIT } from './exit-code';
import { print, type OutputOptions } from './output';
import { withStores } from './with-stores';

export async function migrateMetadata(options: OutputOptions): Promise<void> {
  await withStores(loadConfig(), (context) => convertAll(context.get(ConvertRetiredData), options));
}

async function convertAll(conversion: ConvertRetiredData, options: OutputOptions): Promise<void> {
  let converted = 0;
  let afterId: string | undefined;
  do {
    const batch = await conversion.execute(afterId);
    converted += batch.converted;
    afterId = batch.lastId;
    // As JSON, because the names of the members are whatever a client has sent.
    for (const unconverted of batch.unconverted) process.stderr.write(`${JSON.stringify(unconverted)}\n`);
    if (batch.unconverted.length > 0) process.exitCode = EXIT.failed;
  } while (afterId !== undefined);
  print(options, { converted }, `converted tasks: ${converted}`);
}
