/** The params of one call, parsed and as text: JSON values are cut from the text, all other values are read parsed. */
export class RawParams {
  static readonly NONE = new RawParams({}, () => '{}');

  constructor(
    readonly values: Readonly<Record<string, unknown>> | readonly unknown[],
    private readonly readText: () => string,
  ) {}

  /** Costs a scan of the message, so only calls that carry JSON values read it. */
  get text(): string {
    return this.readText();
  }

  byName(name: string): unknown {
    return Array.isArray(this.values) ? undefined : (this.values as Readonly<Record<string, unknown>>)[name];
  }
}
