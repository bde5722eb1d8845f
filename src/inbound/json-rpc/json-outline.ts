import { invalidRequest } from './json-rpc-error';
import { BRACE, BRACKET, completed, JsonScanner, type Steps } from './json-scanner';

/** Of one object: calls and params have far fewer names. */
const MAX_NAMES = 1000;
/** Of a message: names, and of a batch that is too long, so that it can be refused as one, calls and all elements. */
const OF_MESSAGE = { names: 2 ** 15, objects: 2 ** 14, elements: 2 ** 18 };
/** Of an array or object that a method looks into, all at once: far more than the refs of a batch. */
const OF_MEMBER = { names: 2 ** 11, objects: 2 ** 9, elements: 2 ** 18 };
/** Names, or objects: to keep one takes as long as to pass over hundreds of characters. */
const PAUSE_EVERY = 512;
/**
 * Of arrays and objects that a method looks into: a list of the largest refs, and updates with the largest metadata.
 */
const MAX_LOOKED_INTO = 2 ** 20;
/** A smaller text is parsed as a whole. In UTF-16 units. */
const SMALL = 4096;
/** What a request calls params, and a packet of Nest data. */
const PARAMS = ['params', 'data'];
/** Of these only the type counts if they are no scalars. */
const SCALARS = ['id', 'jsonrpc', 'method', 'pattern'];

/** Where an object that has been outlined keeps what it was made of. */
const MEMBERS = Symbol('members');

type Outlined = object & { readonly [MEMBERS]?: ReadonlyMap<string, Part> };

/**
 * As `JSON.parse`, in steps, but of objects only names and positions are read: a value is parsed when it is looked at,
 * and a value that is kept as text never is. Elements of arrays that are no objects are null. Throws a `JsonRpcError`.
 */
export function outline(text: string): Steps<unknown> {
  return outlineWithin(text, OF_MESSAGE);
}

function* outlineWithin(text: string, limits: typeof OF_MESSAGE): Steps<unknown> {
  const scanner = new JsonScanner(text);
  const value = yield* new Outline(scanner, limits).read(true);
  scanner.end();
  return value instanceof Part ? value.value : value;
}

/**
 * The text of a member of an object that `outline` has read; undefined if it was read by other means, or has no such
 * member.
 */
export function outlinedText(object: Outlined, name: string): string | undefined {
  return object[MEMBERS]?.get(name)?.text;
}

class Outline {
  private names = 0;
  private objects = 0;
  private elements = 0;

  constructor(
    private readonly scanner: JsonScanner,
    private readonly limits: typeof OF_MESSAGE,
  ) {}

  /** With `deep`, also of the params in it. */
  *read(deep: boolean): Steps<Part | object> {
    const { scanner } = this;
    const code = scanner.next();
    if (code === BRACE) return yield* this.readObject(deep);
    if (code === BRACKET) return yield* this.readArray(deep);
    return yield* this.readPart();
  }

  private *readPart(isOpaque = false): Steps<Part> {
    const { scanner } = this;
    scanner.next();
    const start = scanner.at;
    yield* scanner.passValue();
    return new Part(scanner.text, start, scanner.at, isOpaque);
  }

  private *readObject(deep: boolean): Steps<object> {
    const { scanner } = this;
    const members = new Map<string, Part>();
    scanner.at += 1;
    if (++this.objects > this.limits.objects) throw tooManyParts();
    if (this.objects % PAUSE_EVERY === 0) yield;
    for (let isFirst = true; scanner.hasNext(isFirst, true); isFirst = false) {
      if (++this.names > this.limits.names || members.size === MAX_NAMES) throw tooManyParts();
      const { start, end } = scanner.passName();
      const name = JSON.parse(scanner.text.slice(start, end)) as string;
      members.set(name, yield* this.readMember(name, deep));
      if (scanner.isPauseDue || this.names % PAUSE_EVERY === 0) yield;
    }
    const object = Object.defineProperty({}, MEMBERS, { value: members });
    for (const [name, part] of members) {
      Object.defineProperty(object, name, { enumerable: true, get: () => part.value });
    }
    return object;
  }

  private *readMember(name: string, deep: boolean): Steps<Part> {
    const { scanner } = this;
    if (!deep || !PARAMS.includes(name)) return yield* this.readPart(SCALARS.includes(name));
    scanner.next();
    const start = scanner.at;
    const value = yield* this.read(false);
    return value instanceof Part ? value : new Part(scanner.text, start, scanner.at, false, value);
  }

  private *readArray(deep: boolean): Steps<(object | null)[]> {
    const { scanner } = this;
    const elements: (object | null)[] = [];
    scanner.at += 1;
    for (let isFirst = true; scanner.hasNext(isFirst, false); isFirst = false) {
      if (++this.elements > this.limits.elements) throw tooManyParts();
      if (scanner.next() === BRACE) elements.push(yield* this.readObject(deep));
      else {
        yield* scanner.passValue();
        elements.push(null);
      }
      if (scanner.isPauseDue) yield;
    }
    return elements;
  }
}

/** A value in a text that has been checked. */
class Part {
  constructor(
    private readonly source: string,
    private readonly start: number,
    private readonly end: number,
    private readonly isOpaque: boolean,
    private known?: unknown,
  ) {}

  get text(): string {
    return this.source.slice(this.start, this.end);
  }

  get value(): unknown {
    return (this.known ??= this.read());
  }

  private read(): unknown {
    const { text } = this;
    const code = text.charCodeAt(0);
    const isContainer = code === BRACE || code === BRACKET;
    if (!isContainer || text.length <= SMALL) return JSON.parse(text);
    if (this.isOpaque) return {};
    if (text.length > MAX_LOOKED_INTO) throw tooManyParts();
    return completed(outlineWithin(text, OF_MEMBER));
  }
}

function tooManyParts(): Error {
  return invalidRequest({
    code: 'INVALID_REQUEST',
    reason: 'the message has too many arrays, objects and names',
  });
}
