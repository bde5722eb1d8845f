import type { Command, Redis } from 'ioredis';
import { lateTimer } from '../system/late-timer';

export interface SilenceLimits {
  /** For the reply to one command. */
  readonly commandTimeoutMs: number;
  /** A connection on which nothing comes for so long, although something was sent, is broken. */
  readonly connectionTimeoutMs: number;
}

/**
 * Instead of the client's own limits, which believe a timer at once that is late, and one of which goes on with the
 * silence of a connection that has ended.
 */
export function limitSilence(client: Redis, { commandTimeoutMs, connectionTimeoutMs }: SilenceLimits): void {
  let endSilence: (() => void) | undefined;
  const onReply = () => {
    endSilence?.();
    endSilence = undefined;
  };
  client.on('close', onReply);

  const awaitReply = () => {
    const { stream } = client;
    if (endSilence || !stream) return;
    const cancel = lateTimer(connectionTimeoutMs, () => {
      onReply();
      stream.destroy(new Error('Socket timeout'));
    });
    stream.once('data', onReply);
    endSilence = () => {
      cancel();
      stream.off('data', onReply);
    };
  };

  const send = client.sendCommand.bind(client);
  client.sendCommand = (command: Command, stream?: Parameters<typeof send>[1]) => {
    const cancel = lateTimer(commandTimeoutMs, () => command.reject(new Error('Command timed out')));
    command.promise.then(cancel, cancel);
    const reply = send(command, stream);
    awaitReply();
    return reply;
  };
}
