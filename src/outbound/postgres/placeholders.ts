/** `$1, $2, …`: a function's parameters in a statement, as many as there are. */
export function placeholders(count: number): string {
  return Array.from({ length: count }, (_, i) => `$${i + 1}`).join(', ');
}
