// The ceiling for the service: node:http, or a subscription of NATS, with the same store clients and nothing else.
// Arguments: `servers <PostgreSQL URL> <Redis URL> [<NATS URL>]`, for which Redis holds what the service has stored
// there, or `embedded <folder>`.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from '@nats-io/transport-node';
import { bareAnswer } from './bare-answers';
import { embeddedStores, serverStores, type BareStores } from './bare-stores';

function read(request: IncomingMessage, done: (text: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => done(Buffer.concat(chunks).toString()));
}

async function respondOverNats(servers: string, stores: BareStores): Promise<void> {
  const connection = await connect({ servers });
  connection.subscribe('bare.>', {
    callback: (_error, message) => {
      void bareAnswer(message.string(), stores).then((reply) => message.respond(reply));
    },
  });
  await connection.flush();
}

async function main([kind, first = '', second = '', nats]: readonly string[]): Promise<void> {
  const stores = kind === 'servers' ? await serverStores(first, second) : await embeddedStores(first);
  if (nats) await respondOverNats(nats, stores);
  const server = createServer((request, response) => {
    read(request, (text) => {
      // Without a body it is asked whether it has started.
      void Promise.resolve(text && bareAnswer(text, stores)).then((reply) => {
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

void main(process.argv.slice(2));
