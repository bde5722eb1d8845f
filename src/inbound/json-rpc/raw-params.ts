/** The params of one call, parsed and as text: JSON values are cut from the text, everything else is read parsed. */
export class RawParams {
  constructor(
    readonly values: Readonly<Record<string, unknown>> | readonly unknown[],
    private readonly readText: () => string,
  ) {}

  /** Costs a scan of the message: only calls that carry JSON values ask for it. */
  get text(): string {
    return this.readText();
  }

  byName(name: string): unknown {
    return Array.isArray(this.values) ? undefined : (this.values as Readonly<Record<string, unknown>>)[name];
  }
}
