import { StoreError } from '../ports/store-error';

/** What the cache answers; undefined while it cannot. No use case fails because the cache does. */
export async function unlessCacheIsDown<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}
