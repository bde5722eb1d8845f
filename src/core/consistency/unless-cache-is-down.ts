import { StoreError } from '../ports/store-error';

/** The reply of the cache; undefined if the cache fails. No use case fails because the cache does. */
export async function unlessCacheIsDown<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StoreError) return undefined;
    throw error;
  }
}
