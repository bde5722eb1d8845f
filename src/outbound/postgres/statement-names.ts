/** Gives each statement a name, the same in every session. A session does not plan a named statement at each call. */
export class StatementNames {
  private readonly names = new Map<string, string>();

  of(text: string): string {
    const name = this.names.get(text) ?? `s${this.names.size}`;
    this.names.set(text, name);
    return name;
  }
}
