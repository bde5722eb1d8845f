// Preloaded into a process: sends it SIGTERM as soon as it listens for that signal.
process.on('newListener', (name) => {
  if (name === 'SIGTERM') process.nextTick(() => process.kill(process.pid, name));
});
