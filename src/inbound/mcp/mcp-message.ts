import { INVALID_PARAMS, invalidRequest, JsonRpcError } from '../json-rpc/json-rpc-error';
import { outlinedText } from '../json-rpc/json-outline';
import { isLargeMessage } from '../json-rpc/parse-message';
import type { RawParams } from '../json-rpc/raw-params';
import { idProblemOf, isObject, memberText, readParams } from '../json-rpc/read-call';

/** In UTF-16 units, and far more than any host needs. The SDK takes up to 10 µs for each array or object in it. */
const MAX_LENGTH_WITHOUT_ARGUMENTS = 16 * 1024;
/** Of members, and more than any host needs. A thousand of them take the SDK ten times as long as 256. */
const MAX_NAMES_WITHOUT_ARGUMENTS = 256;

type Members = Readonly<Record<string, unknown>>;

/** A message of MCP, parsed and as text: methods read JSON values as they are spelt. */
export class McpMessage {
  /** It takes two scans of the message. */
  private foundArguments?: string;

  private constructor(
    private readonly members: Members,
    private readonly text: string,
  ) {}

  /** Throws a `JsonRpcError`. The SDK refuses what else is wrong. */
  static from(message: unknown, text: string): McpMessage {
    if (Array.isArray(message)) throw invalid('a batch is not allowed: post each message by itself');
    if (!isObject(message)) throw invalid('a message must be an object');
    const problem = mcpIdProblemOf(message['id']);
    if (problem) throw invalid(problem);
    const checked = new McpMessage(message, text);
    const max = MAX_LENGTH_WITHOUT_ARGUMENTS;
    if (text.length > max && text.length - checked.argumentsText.length > max) {
      throw invalid(`a message must have at most ${max} characters besides the arguments of a tool`);
    }
    if (hasMoreNames(checked.forSdk, MAX_NAMES_WITHOUT_ARGUMENTS)) {
      throw invalid(
        `a message must have at most ${MAX_NAMES_WITHOUT_ARGUMENTS} members besides the arguments of a tool`,
      );
    }
    return checked;
  }

  /** Without the arguments of a tool: the SDK would look at each value in them, and the method does. */
  get forSdk(): Members {
    const { params } = this;
    if (!params) return parsed(this.members);
    const hasArguments = Object.hasOwn(params, 'arguments');
    return {
      ...parsed(this.members, 'params'),
      params: { ...parsed(params, 'arguments'), ...(hasArguments && { arguments: {} }) },
    };
  }

  /** Throws a `JsonRpcError`. */
  get toolArguments(): RawParams {
    const params = readParams(this.arguments, () => this.argumentsText);
    if (params) return params;
    const errors = [{ field: 'arguments', message: 'must be an object' }];
    throw new JsonRpcError(INVALID_PARAMS, 'Invalid params', { code: 'INVALID_PARAMS', errors });
  }

  private get arguments(): unknown {
    return this.params && valueOf(this.params, 'arguments');
  }

  private get argumentsText(): string {
    const { params } = this;
    if (!params || !Object.hasOwn(params, 'arguments')) return '';
    const paramsText = () => memberText(this.members, 'params', () => this.text);
    return (this.foundArguments ??= memberText(params, 'arguments', paramsText));
  }

  private get params(): Members | undefined {
    const { params } = this.members;
    return isObject(params) ? params : undefined;
  }
}

function parsed(members: Members, without?: string): Members {
  const names = Object.keys(members).filter((name) => name !== without);
  return Object.fromEntries(names.map((name) => [name, valueOf(members, name)]));
}

/** A member of a large message, if it is small itself, is parsed like a small message: that takes far less time. */
function valueOf(members: Members, name: string): unknown {
  const text = outlinedText(members, name);
  return text === undefined || isLargeMessage(text) ? members[name] : JSON.parse(text);
}

/** Whether the objects in a value, which may have any depth, have more members together. */
function hasMoreNames(value: unknown, max: number): boolean {
  let left = max;
  const unseen = [value];
  for (let one = unseen.pop(); one !== undefined; one = unseen.pop()) {
    if (typeof one !== 'object' || one === null) continue;
    if (!Array.isArray(one) && (left -= Object.keys(one).length) < 0) return true;
    unseen.push(...(Object.values(one) as unknown[]));
  }
  return false;
}

/** Null is no id in MCP, and the SDK would return a number as it was parsed. */
function mcpIdProblemOf(id: unknown): string | undefined {
  const isOdd = id === null || (typeof id === 'number' && !Number.isSafeInteger(id));
  return isOdd ? 'id must be a string or an integer below 2^53' : idProblemOf(id);
}

function invalid(reason: string): JsonRpcError {
  return invalidRequest({ code: 'INVALID_REQUEST', reason });
}
