import { StoreError } from '../../core/ports/store-error';

/** The answer, or `StoreError` `timeout`; what has been sent by then may still take effect. */
export async function inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StoreError('redis', 'timeout')), timeoutMs);
  });
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** Those that are not rejected: a shard whose server is away must not hold up the others. Throws where all are. */
export async function anyAnswers<T>(answers: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(answers);
  const fulfilled = settled.filter((answer) => answer.status === 'fulfilled');
  const [first] = settled;
  if (fulfilled.length === 0 && first?.status === 'rejected') throw first.reason;
  return fulfilled.map(({ value }) => value);
}

/** Whichever comes first, and is not rejected. Throws `StoreError` where all are, or there is none. */
export async function firstAnswer<T>(answers: readonly Promise<T>[]): Promise<T> {
  try {
    return await Promise.any(answers);
  } catch (error) {
    throw (error as AggregateError).errors[0] ?? new StoreError('redis', 'unavailable');
  }
}
