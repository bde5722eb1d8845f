import { Module, type DynamicModule } from '@nestjs/common';
import { ThrottlerModule } from '@nestjs/throttler';
import { AttachmentsRpc } from './attachments.rpc';
import { rateLimitOptions } from './rate-limit.guard';
import type { RateLimitRules } from './rate-limit-rules';
import { RateLimits } from './rate-limits';
import { TasksRpc } from './tasks.rpc';

/**
 * The methods, with the guards, the pipe and the filter that every call passes. The application provides, globally, the
 * use cases, `CoreSettings` and `RateLimits`.
 */
@Module({})
export class MethodsModule {
  static register(rules: RateLimitRules): DynamicModule {
    const throttler = ThrottlerModule.forRootAsync({
      inject: [RateLimits],
      useFactory: (rateLimits: RateLimits) => rateLimitOptions(rules, rateLimits),
    });
    return { module: MethodsModule, imports: [throttler], controllers: [AttachmentsRpc, TasksRpc] };
  }
}
