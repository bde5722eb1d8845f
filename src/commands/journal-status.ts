import { isoTime } from '../core/domain/iso-time';
import { eventOf } from '../core/ports/attachment-journal';
import { withDeadLetters } from './open-dead-letters';
import { print, type OutputOptions } from './output';

export async function journalStatus(options: OutputOptions): Promise<void> {
  const { waiting, deadLetters, oldest } = await withDeadLetters((letters) => letters.status());
  const times = oldest.flatMap(({ write }) => (write ? eventOf(write).timestamp : []));
  const oldestAt = times.length > 0 ? isoTime(Math.min(...times)) : undefined;
  const ofNewerFormat = oldest.some(({ write }) => write === undefined);
  const lines = [`waiting: ${waiting}`, `dead letters: ${deadLetters}`];
  if (oldestAt !== undefined) lines.push(`oldest: ${oldestAt}`);
  if (ofNewerFormat) lines.push('the first to be written has the format of a newer version of the service');
  print(options, { waiting, deadLetters, oldestAt, ofNewerFormat }, lines.join('\n'));
}
