import { connect } from 'node:net';

/** What a server on this machine sends first, in reply to `line` or unasked; empty if it does not listen. */
export function firstAnswer(port: number, line?: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => line !== undefined && socket.write(`${line}\r\n`));
    const finish = (answer: string) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (data) => finish(data.toString()));
    socket.once('error', () => finish(''));
    socket.once('close', () => finish(''));
  });
}
