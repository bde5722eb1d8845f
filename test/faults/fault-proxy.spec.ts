import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy';
import { until } from '../support/poll';

const DELAY_MS = 60;
/** A timer may fire early by the fraction of a millisecond that clocks round away. */
const ROUNDING_MS = 2;

/** A server that answers each message in capitals, and a client that reaches it through the proxy. */
describe('a proxy that fails', () => {
  const atServer: string[] = [];
  const clients: Socket[] = [];
  let server: Server;
  let proxy: FaultProxy;

  beforeEach(async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        atServer.push(bytes.toString());
        socket.write(bytes.toString().toUpperCase());
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    proxy = await startFaultProxy((server.address() as AddressInfo).port);
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    atServer.length = 0;
    await proxy.close();
    server.close();
  });

  const open = () => {
    const client = connect(proxy.port, '127.0.0.1');
    clients.push(client);
    const heard = { text: '', isClosed: false };
    client.on('data', (bytes) => (heard.text += bytes.toString()));
    client.on('error', () => undefined);
    client.on('close', () => (heard.isClosed = true));
    return { client, heard };
  };
  const openAndGreet = async () => {
    const connection = open();
    connection.client.write('hello');
    await until('the reply to the greeting', () => connection.heard.text === 'HELLO');
    return connection;
  };

  it('passes everything on, and the end of a connection as well', async () => {
    const { client, heard } = await openAndGreet();
    expect(atServer).toEqual(['hello']);
    client.end();
    await until('the server has noticed', async () => (await connectionsOf(server)) === 0);
    await until('the client has been told', () => heard.isClosed);
  });

  it('cut: ends what is open and what is opened; passing again, it takes new connections', async () => {
    const before = await openAndGreet();
    proxy.cut();
    await until('the connection ends', () => before.heard.isClosed);
    const during = open();
    await until('a new one ends', () => during.heard.isClosed);
    expect(during.heard.text).toBe('');
    proxy.pass();
    await openAndGreet();
  });

  it('silent: holds requests back, and lets them through late, in order', async () => {
    const { client, heard } = await openAndGreet();
    proxy.silence('both');
    const late = open();
    client.write('a');
    late.client.write('x');
    const other = await startFaultProxy((server.address() as AddressInfo).port);
    try {
      await roundTripThrough(other);
    } finally {
      await other.close();
    }
    client.write('b');
    expect(atServer).toEqual(['hello', 'ping']);
    expect([heard.text, late.heard]).toEqual(['HELLO', { text: '', isClosed: false }]);
    proxy.pass();
    await until('all replies', () => heard.text === 'HELLOAB' && late.heard.text === 'X');
  });

  it('silent: a request arrives even if its sender has gone', async () => {
    const { client } = await openAndGreet();
    proxy.silence('both');
    client.end('late');
    await once(client, 'finish');
    client.destroy();
    proxy.pass();
    await until('it has arrived', () => atServer.includes('late'));
    await until('so has the end', async () => (await connectionsOf(server)) === 0);
  });

  it('silent on the way back: requests arrive, their replies do not', async () => {
    const { client, heard } = await openAndGreet();
    proxy.silence('replies');
    client.write('a');
    await until('the request arrives', () => atServer.includes('a'));
    client.write('b');
    await until('so does the next', () => atServer.includes('b'));
    expect(heard).toEqual({ text: 'HELLO', isClosed: false });
    proxy.pass();
    await until('the replies come', () => heard.text === 'HELLOAB');
  });

  it('slow: each way takes longer, and the order stays', async () => {
    const { client, heard } = await openAndGreet();
    proxy.delay(DELAY_MS);
    const sentAtMs = performance.now();
    client.write('a');
    await until('the request arrives', () => atServer.includes('a'));
    client.write('b');
    await until('both replies come', () => heard.text === 'HELLOAB');
    expect(performance.now() - sentAtMs).toBeGreaterThanOrEqual(2 * DELAY_MS - ROUNDING_MS);
  });

  it('drops a reply: the request has arrived, and the connection ends in the place of its reply', async () => {
    const { client, heard } = await openAndGreet();
    proxy.dropReplies();
    client.write('a');
    await until('the connection ends', () => heard.isClosed);
    expect(heard.text).toBe('HELLO');
    expect(atServer).toEqual(['hello', 'a']);
    await openAndGreet();
  });
});

async function roundTripThrough(proxy: FaultProxy): Promise<void> {
  const client = connect(proxy.port, '127.0.0.1');
  client.write('ping');
  await once(client, 'data');
  client.destroy();
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}
