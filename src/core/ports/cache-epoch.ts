/** The epoch in which this replica uses the cache and the journal. */
export abstract class CacheEpoch {
  /**
   * From now on cache and journal reply only if they are in this epoch, too, and a new generation begins; undefined:
   * they are not used at all. Does nothing if that is so already.
   */
  abstract use(epoch: string | undefined): void;
}
