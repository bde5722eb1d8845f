/** What stops a measurement because of how it was called, or of the server that it was called for. Its message is one line. */
export class BenchError extends Error {}
