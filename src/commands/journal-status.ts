import { isoTime } from '../core/domain/domain-event';
import { refuseMore, type Command } from './command';
import { eventOf } from './event-of';
import { withDeadLetters } from './open-dead-letters';

export const journalStatus: Command = {
  name: 'journal status',
  usage: '',
  description: 'Says how many acknowledged writes wait for PostgreSQL in the journal, and how many it has refused.',

  async run(args) {
    refuseMore(args);
    const { waiting, deadLetters, oldest } = await withDeadLetters((letters) => letters.status());
    process.stdout.write(`waiting: ${waiting}\ndead letters: ${deadLetters}\n`);
    const times = oldest.flatMap(({ write }) => (write ? eventOf(write).timestamp : []));
    if (times.length > 0) process.stdout.write(`oldest: ${isoTime(Math.min(...times))}\n`);
    const newer = oldest.filter(({ write }) => write === undefined).length;
    if (newer > 0) process.stdout.write('the first to be written has the format of a newer version of the service\n');
  },
};
