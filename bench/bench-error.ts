/** Why there is no measurement: the arguments, or the server that they name. Its message is one line. */
export class BenchError extends Error {}
