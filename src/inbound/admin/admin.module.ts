import { Module, type DynamicModule } from '@nestjs/common';
import { RateLimitRules } from '../methods/rate-limit-rules';
import { AdminController } from './admin.controller';

/**
 * What operators may ask of a running replica. The application provides, globally, `OperatorKeys`, `ReplicaStatus`,
 * `LogLevels`, `RateLimits` and `AuthenticationFailures`.
 */
@Module({})
export class AdminModule {
  static register(rules: RateLimitRules): DynamicModule {
    const providers = [{ provide: RateLimitRules, useValue: rules }];
    return { module: AdminModule, controllers: [AdminController], providers };
  }
}
