import { connect, type NatsConnection } from '@nats-io/transport-node';
import { CountPerTurn } from '../../src/inbound/load/count-per-turn';
import { ReadingInTurns } from '../../src/inbound/nats/reading-in-turns';
import { startNats, type NatsServer } from '../support/nats-server';
import { until } from '../support/poll';

const MESSAGES = 20_000;
const PAYLOAD = new Uint8Array(1000);
/** Node.js has read up to 64 KiB when the socket is paused, and as much again when it goes on. */
const MAX_PER_TURN = 250;

describe('the client of NATS that the service has', () => {
  let nats: NatsServer;
  let [sender, receiver]: NatsConnection[] = [];

  beforeAll(async () => {
    nats = await startNats({ jetStream: false });
    [sender, receiver] = [await connect({ servers: nats.url }), await connect({ servers: nats.url })];
  });
  afterAll(async () => {
    await sender?.close();
    await receiver?.close();
    await nats?.stop();
  });

  it('reads what comes at once in several iterations of the event loop, and all of it', async () => {
    const reading = new ReadingInTurns(receiver as NatsConnection);
    const perTurn = new CountPerTurn();
    let [received, mostInTurn] = [0, 0];
    receiver?.subscribe('flood', {
      callback: () => {
        reading.noteMessage();
        received += 1;
        mostInTurn = Math.max(mostInTurn, perTurn.next());
      },
    });
    await receiver?.flush();
    for (let i = 0; i < MESSAGES; i++) sender?.publish('flood', PAYLOAD);
    await sender?.flush();
    await until('all messages are received', () => received === MESSAGES);
    expect(mostInTurn).toBeLessThan(MAX_PER_TURN);
  });
});
