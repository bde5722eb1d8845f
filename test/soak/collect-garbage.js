// Loaded into a replica before it starts. On a signal it collects all garbage and prints what memory is left, in bytes.
const { setImmediate } = require('node:timers');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

process.on('SIGWINCH', () => {
  // What waits for a finalizer is free only after the next collection.
  collect();
  setImmediate(() => {
    collect();
    process.stdout.write(`${JSON.stringify({ memory: process.memoryUsage() })}\n`);
  });
});
