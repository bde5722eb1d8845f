import type { FactoryProvider } from '@nestjs/common';

type Token<T> = abstract new (...args: never[]) => T;

/** Of each dependency, in their order. */
export type Tokens<Dependencies extends readonly unknown[]> = {
  [Index in keyof Dependencies]: Token<Dependencies[Index]>;
};

/** Provides a class by its constructor; a dependency that is missing or in the wrong place does not compile. */
export function wire<Dependencies extends unknown[], T>(
  target: new (...dependencies: Dependencies) => T,
  ...tokens: Tokens<Dependencies>
): FactoryProvider<T> {
  return {
    provide: target,
    useFactory: (...given: Dependencies) => new target(...given),
    inject: tokens as Token<unknown>[],
  };
}

export function optional<T>(token: Token<T>) {
  return { token, optional: true };
}
