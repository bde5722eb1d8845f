// Loaded into a measured process before its own code: tells the parent what CPU time it has used, and ends with it.
process.on('message', () => process.send?.(process.cpuUsage()));
process.on('disconnect', () => process.exit());
process.channel?.unref();
