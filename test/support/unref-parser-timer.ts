/**
 * The parser of ioredis shrinks its buffer pool in steps, by a timer, for seconds after a large reply. Closing the
 * client does not end that timer, which would keep a worker of Jest alive after its last test.
 */
const { setInterval } = globalThis;

type Rest = [ms?: number, ...args: unknown[]];

globalThis.setInterval = Object.assign((callback: (...args: unknown[]) => void, ...rest: Rest) => {
  const timer = setInterval(callback, ...rest);
  return callback.name === 'decreaseBufferPool' ? timer.unref() : timer;
}, setInterval);
