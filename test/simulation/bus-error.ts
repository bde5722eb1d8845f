/** What the event bus fails with: it is no store, so this is no error of a store. */
export class BusError extends Error {
  constructor() {
    super('nats unavailable');
  }
}
