import type { ChildProcess } from 'node:child_process';

/** Sends a message to a process and resolves with the next message from it. Rejects if the process ends first. */
export function askChild<Reply>(child: ChildProcess, message: object): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const onMessage = (reply: Reply) => {
      child.off('exit', onExit);
      resolve(reply);
    };
    const onExit = () => {
      child.off('message', onMessage);
      reject(new Error(`process ${child.pid} has ended`));
    };
    child.once('message', onMessage);
    child.once('exit', onExit);
    child.send(message);
  });
}
