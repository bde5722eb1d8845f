// Loaded into a measured process before its own code: it ends with the process that measures it.
process.on('disconnect', () => process.exit());
process.channel?.unref();
