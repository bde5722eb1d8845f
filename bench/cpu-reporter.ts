// Loaded into a measured process before its own code. It reports the CPU time of the process to the parent, and ends
// with the parent.
process.on('message', () => process.send?.(process.cpuUsage()));
process.on('disconnect', () => process.exit());
process.channel?.unref();
