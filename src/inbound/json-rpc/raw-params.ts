import { jsonMembers } from '../../core/domain/json-text';
import { outlinedText } from './json-outline';

type Members = Readonly<Record<string, unknown>>;

/** The params of one call, parsed and as text: JSON values are cut from the text, all other values are read parsed. */
export class RawParams {
  static readonly NONE = new RawParams({}, () => '{}');

  private texts?: ReadonlyMap<string, string>;

  constructor(
    /** A member of a large message is parsed when it is read. */
    readonly values: Members | readonly unknown[],
    private readonly readText: () => string,
  ) {}

  /** Costs a scan of the message. */
  get text(): string {
    return this.readText();
  }

  byName(name: string): unknown {
    return Array.isArray(this.values) ? undefined : (this.values as Members)[name];
  }

  /** The JSON text of a member that was given. Costs a scan of the message, unless the message is large. */
  textOf(name: string): string {
    const outlined = outlinedText(this.values, name);
    if (outlined !== undefined) return outlined;
    this.texts ??= jsonMembers(this.text);
    return this.texts.get(name) as string;
  }
}
