/**
 * The call of an SQL function by the names of its parameters. Each name stands here once, so that the statement and its
 * values cannot get out of step; the database refuses a name that the function does not have.
 */
export class SqlFunction<Parameter extends string> {
  constructor(
    private readonly name: string,
    private readonly parameters: readonly Parameter[],
  ) {}

  /** `name(p_first => $1, p_second => $2)` */
  get call(): string {
    return this.callFrom(1);
  }

  /** The same, if the statement has other placeholders below `$first`. */
  callFrom(first: number): string {
    return `${this.name}(${this.parameters.map((parameter, i) => `p_${parameter} => $${first + i}`).join(', ')})`;
  }

  /** In the order of the placeholders in `call`. */
  values(given: Readonly<Record<Parameter, unknown>>): unknown[] {
    return this.parameters.map((parameter) => given[parameter]);
  }
}
