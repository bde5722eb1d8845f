import { spawn, type ChildProcess, type SendHandle } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** Beside the server's own. */
const DUPLICATES = 15;
/** A program that sends back what it gets: what comes back is another descriptor of the same socket. */
const SEND_BACK = `process.on('message', (count, socket) => {
  for (let i = 1; i <= count; i++) process.send(i, socket, { keepOpen: true });
})`;

/**
 * Lets a server accept up to sixteen connections in each iteration of the event loop. Node.js accepts one for each
 * descriptor that listens (libuv since 1.45), so those of all callers would wait behind those of one who opens and
 * closes many. Duplicates of the descriptor share the kernel's queue. Node.js can have them from another process only,
 * which ends after some tens of milliseconds; its option `reusePort` needs none, but lets two services use one port
 * unnoticed.
 */
export class Acceptors {
  private readonly duplicates: Server[] = [];
  private helper: ChildProcess | undefined;
  private isClosed = false;

  constructor(private readonly server: Server) {}

  /** To be called when the server listens. Rejects if no process can be started: the server then accepts alone. */
  async open(): Promise<void> {
    if (this.isClosed) return;
    const helper = spawn(process.execPath, ['-e', SEND_BACK], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: {},
    });
    this.helper = helper;
    helper.unref();
    helper.on('message', (index, descriptor) => {
      this.acceptFrom(descriptor);
      if (index === DUPLICATES) helper.disconnect();
    });
    // If it cannot be sent, the process has ended, or has not begun.
    helper.send(DUPLICATES, descriptorOf(this.server), () => undefined);
    await once(helper, 'exit');
  }

  /** Accepts nothing more. Resolves when the connections that were accepted here have ended. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.helper?.kill();
    await Promise.all(this.duplicates.map((duplicate) => once(duplicate.close(), 'close')));
  }

  private acceptFrom(descriptor: unknown): void {
    const accept = (socket: Socket) => this.server.emit('connection', socket);
    // The options are those with which `node:http` makes a server.
    const duplicate = createServer({ allowHalfOpen: true, noDelay: true }, accept).listen(descriptor);
    this.duplicates.push(duplicate);
    if (this.isClosed) duplicate.close();
  }
}

/** As `node:cluster` passes it on. A server that is passed on itself would accept in the other process, too. */
function descriptorOf(server: Server): SendHandle {
  return (server as unknown as { readonly _handle: SendHandle })._handle;
}
