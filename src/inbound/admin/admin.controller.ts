import { Controller, Delete, Get, HttpException, Logger, Param, Put, Query, UseGuards } from '@nestjs/common';
import { StoreError } from '../../core/ports/store-error';
import { RateLimitRules } from '../methods/rate-limit-rules';
import { RateLimits, type OpenWindow } from '../methods/rate-limits';
import { rpcMethods } from '../methods/rpc-method';
import { LogLevels } from './log-levels';
import { OperatorGuard, OperatorName } from './operator.guard';
import { ReplicaStatus } from './replica-status';

const MAX_WINDOWS = 100;

/** How far a caller has used up the limit of a method. */
interface RateWindowView {
  readonly caller: string;
  readonly method: string;
  readonly calls: number;
  readonly limit: number;
  readonly endsInMs: number;
}

type QueryMembers = Readonly<Record<string, unknown>>;

/** For operators: looks at this replica, and changes nothing that outlives it but windows of rate limits. */
@Controller('admin')
@UseGuards(OperatorGuard)
export class AdminController {
  private readonly logger = new Logger('admin');

  constructor(
    private readonly status: ReplicaStatus,
    private readonly levels: LogLevels,
    private readonly rules: RateLimitRules,
    private readonly limits: RateLimits,
  ) {}

  @Get('status')
  read(): Promise<object> {
    return this.status.read();
  }

  @Put('log-level/:level')
  changeLevel(@Param('level') level: string, @OperatorName() operator: string): object {
    const { choices } = this.levels;
    if (!choices.includes(level)) throw invalid(`level must be one of ${choices.join(', ')}`);
    const before = this.levels.present;
    this.levels.change(level, operator);
    return { before, level };
  }

  @Get('rate-limits')
  async listWindows(@Query() query: QueryMembers): Promise<object> {
    const { caller } = membersOf(query, ['caller']);
    const windows = await this.limits.open(MAX_WINDOWS, (name) => caller === undefined || callerOf(name) === caller);
    return { windows: windows.flatMap((window) => this.viewOf(window)) };
  }

  @Delete('rate-limits')
  async endWindows(@Query() query: QueryMembers, @OperatorName() operator: string): Promise<object> {
    const { caller, method } = membersOf(query, ['caller', 'method']);
    if (caller === undefined) throw invalid('caller is required');
    const names = rpcMethods().map(({ name }) => name);
    const limited = names.filter((name) => this.rules.of(name) !== undefined);
    if (method !== undefined && !limited.includes(method)) {
      throw invalid(`method must be one that is limited here: ${limited.join(', ')}`);
    }
    const methods = method === undefined ? limited : [method];
    await this.limits.end(methods.map((one) => nameOf(one, caller))).catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
      this.logger.warn(`${operator}: could not reset the rate limits of ${JSON.stringify(caller)}: ${error.message}`);
      throw new HttpException({ detail: `Only this replica has reset them: ${error.message}` }, 503);
    });
    this.logger.log(`${operator}: has reset the rate limits of ${JSON.stringify(caller)} for ${methods.join(', ')}`);
    return { caller, methods };
  }

  /** Nothing of a method that is no longer limited. */
  private viewOf({ name, calls, endsInMs }: OpenWindow): readonly RateWindowView[] {
    const method = name.slice(0, name.indexOf(':'));
    const rule = this.rules.of(method);
    return rule ? [{ caller: callerOf(name), method, calls, limit: rule.limit, endsInMs: Math.ceil(endsInMs) }] : [];
  }
}

function callerOf(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

/** As the guard of the methods names a window. */
function nameOf(method: string, caller: string): string {
  return `${method}:${caller}`;
}

/** A misspelt member must not widen what is meant. */
function membersOf<Name extends string>(query: QueryMembers, names: readonly Name[]): Partial<Record<Name, string>> {
  for (const [name, value] of Object.entries(query)) {
    if (!names.some((known) => known === name)) throw invalid(`${name} is not known: there are ${names.join(', ')}`);
    if (typeof value !== 'string' || value === '') throw invalid(`${name} must be given once, and not be empty`);
  }
  return query as Partial<Record<Name, string>>;
}

function invalid(detail: string): HttpException {
  return new HttpException({ detail }, 400);
}
