// The ceiling for the service: node:http with the same store clients, and nothing else. Arguments: `echo`, or `servers
// <PostgreSQL URL> <Redis URL>`, for which Redis holds what the service has stored there, or `embedded <folder>`.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { embeddedStores, serverStores, type BareStores } from './bare-stores';

type Answer = (message: string) => string | Promise<string>;

interface Message {
  readonly method: string;
  readonly params: { taskId: string; key: string; limit: number; requests: { taskId: string; key: string }[] };
  readonly id: number;
}

async function answerFor([kind, ...args]: readonly string[]): Promise<Answer> {
  if (kind === 'echo') return (message) => message;
  const [first = '', second = ''] = args;
  const stores = kind === 'servers' ? await serverStores(first, second) : await embeddedStores(first);
  return async (text) => {
    const message = JSON.parse(text) as Message;
    return JSON.stringify({ jsonrpc: '2.0', result: await resultOf(message, stores), id: message.id });
  };
}

function resultOf({ method, params }: Message, stores: BareStores): Promise<unknown> {
  switch (method) {
    case 'task.get_attachment':
      return stores.get(params);
    case 'task.list_attachments':
      return stores.list(params.taskId, params.limit);
    case 'task.get_attachments_batch':
      return stores.getAll(params.requests);
    case 'task.create_attachment':
      return stores.put(params);
    default:
      throw new Error(`no such method: ${method}`);
  }
}

function read(request: IncomingMessage, done: (text: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => done(Buffer.concat(chunks).toString()));
}

async function main(): Promise<void> {
  const answer = await answerFor(process.argv.slice(2));
  const server = createServer((request, response) => {
    read(request, (text) => {
      void Promise.resolve(text && answer(text)).then((reply) => {
        response.setHeader('content-type', 'application/json');
        response.end(reply);
      });
    });
  });
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
  });
  process.once('SIGTERM', () => process.exit());
}

void main();
