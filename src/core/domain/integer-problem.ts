/** What keeps `value` from being an integer of the range; a number is named, so that the caller sees what arrived. */
export function integerProblem(value: unknown, min: number, max: number): string | undefined {
  if (typeof value !== 'number') return `must be a number, an integer from ${min} to ${max}`;
  const isWithin = Number.isInteger(value) && value >= min && value <= max;
  return isWithin ? undefined : `must be an integer from ${min} to ${max}, is ${value}`;
}
