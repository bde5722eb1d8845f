import { lateTimer } from '../system/late-timer';
import { StoreError } from '../../core/ports/store-error';

/** The answer, or `StoreError` `timeout`. What has been sent before the time-out may still take effect. */
export async function inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  let cancel: (() => void) | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    cancel = lateTimer(timeoutMs, () => reject(new StoreError('redis', 'timeout')));
  });
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    cancel?.();
  }
}

/**
 * The answers that are not rejected: a shard whose server is unavailable must not delay the others. Throws if all are
 * rejected.
 */
export async function anyAnswers<T>(answers: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(answers);
  const fulfilled = settled.filter((answer) => answer.status === 'fulfilled');
  const [first] = settled;
  if (fulfilled.length === 0 && first?.status === 'rejected') throw first.reason;
  return fulfilled.map(({ value }) => value);
}

/** The first answer that is not rejected. Throws `StoreError` if all are rejected, or if there are none. */
export async function firstAnswer<T>(answers: readonly Promise<T>[]): Promise<T> {
  try {
    return await Promise.any(answers);
  } catch (error) {
    throw (error as AggregateError).errors[0] ?? new StoreError('redis', 'unavailable');
  }
}
