import { write } from 'node:fs';
import pino from 'pino';

/** Of lines that wait until earlier ones have been written. Further ones are dropped. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const STDERR = 2;

/**
 * Where lines of the log are written: the standard output, unless told otherwise. The service goes on if that takes
 * nothing. If a line fails to be written, as on a full disk, standard error says so, once for each such time; it waits
 * for the next one, and is lost at the end of the process. Lines for a reader that hangs wait without a word.
 */
export function logOutput(fd = 1, onFailure: (error: Error) => void = tellOperator): pino.DestinationStream {
  const output = pino.destination({ dest: fd, sync: false, maxLength: MAX_WAITING_BYTES });
  const flushSync = output.flushSync.bind(output);
  let hasFailed = false;
  output.on('error', (error: Error) => {
    if (!hasFailed) onFailure(error);
    hasFailed = true;
    // At the end of the process, it would try for ever.
    output.flushSync = () => undefined;
  });
  output.on('write', () => {
    hasFailed = false;
    output.flushSync = flushSync;
  });
  return output;
}

/** Whether or not that can be written. */
function tellOperator({ message }: Error): void {
  write(STDERR, `dossier: the log cannot be written, and the service goes on: ${message}\n`, () => undefined);
}
