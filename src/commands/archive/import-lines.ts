import type { ArchiveLine } from './archive-reader';
import type { Pace } from './pace';
import { showProgress } from './progress';
import type { ImportCounts, TaskImport } from './task-import';

/** Imports the lines of an archive. If that fails, `say` is told first what has been imported. */
export async function importLines(
  lines: AsyncIterable<ArchiveLine>,
  lineCount: number,
  work: TaskImport,
  pace: Pace,
  say: (text: string) => void,
): Promise<void> {
  const progress = showProgress('import');
  let done = 0;
  try {
    for await (const line of lines) {
      if (line.kind !== 'task' && line.kind !== 'attachment') continue;
      await pace.turn();
      await work.take(line);
      progress.set(++done, lineCount);
    }
  } catch (error) {
    progress.stop();
    say(`failed half-way: ${textOf(work.counts)}. The same command may be repeated`);
    throw error;
  }
  progress.stop();
}

export function textOf({ tasks, attachments, present, overtaken, expired, refused }: ImportCounts): string {
  const others = Object.entries({ 'there already': present, 'newer there': overtaken, expired, refused });
  const more = others.filter(([, count]) => count > 0).map(([what, count]) => `, ${what}: ${count}`);
  return `imported ${tasks} tasks and ${attachments} attachments${more.join('')}`;
}
