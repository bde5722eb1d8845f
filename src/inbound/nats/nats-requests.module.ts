import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { HealthModule } from '../health/health.module';
import { JsonRpcNatsOptions, JsonRpcNatsStrategy } from './json-rpc-nats.strategy';

/**
 * The methods over NATS. The application provides, globally, `Authenticator`, `LoadShedder`, `CallDurations` and
 * `Registry`, and hands the strategy to `connectMicroservice`.
 */
@Module({})
export class NatsRequestsModule {
  static register(options: Omit<FactoryProvider<JsonRpcNatsOptions>, 'provide'>): DynamicModule {
    return {
      module: NatsRequestsModule,
      imports: [HealthModule],
      providers: [JsonRpcNatsStrategy, { ...options, provide: JsonRpcNatsOptions }],
      exports: [JsonRpcNatsStrategy],
    };
  }
}
