import StandaloneConnector from 'ioredis/built/connectors/StandaloneConnector';

type Connect = StandaloneConnector['connect'];

const IGNORE = () => undefined;

/**
 * Node.js can report an error of TLS on a socket that an earlier error has ended. ioredis listens to the first one
 * only, and nobody to the second: the process would end. Every connection of ioredis in this process is changed, as a
 * cluster opens some that it does not show. See https://github.com/redis/ioredis/pull/961
 */
export function hearAllErrors(): void {
  const { prototype } = StandaloneConnector;
  const connect: Connect = Reflect.get(prototype, 'connect');
  prototype.connect = function (onError) {
    const stream = connect.call(this, onError);
    stream.then((socket) => socket.on('error', IGNORE), IGNORE);
    return stream;
  };
}
