/**
 * An action whose module is loaded when it runs: with all that the service needs, that takes a second, and help and the
 * refusal of a misspelt option should not wait for it. An action gets its arguments and then its options.
 */
export function lazily<Args extends readonly unknown[]>(load: () => Promise<(...args: Args) => void | Promise<void>>) {
  return async (...args: unknown[]): Promise<void> => {
    const act = await load();
    // Commander's last argument is the command itself.
    await act(...(args.slice(0, -1) as unknown as Args));
  };
}
