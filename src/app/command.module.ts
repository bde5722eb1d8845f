import { Module, type DynamicModule } from '@nestjs/common';
import { TRACING_OFF, Tracing } from '../core/ports/tracing';
import type { Database } from '../outbound/postgres/database';
import type { Config } from './config';
import { UseCasesModule } from './use-cases.module';

const NO_TRACES = { provide: Tracing, useValue: TRACING_OFF };

/** The use cases for a command. It publishes no events, which replicas do, and records no traces. */
@Module({})
export class CommandModule {
  static register(config: Config, database: Database): DynamicModule {
    return {
      module: CommandModule,
      global: true,
      imports: [UseCasesModule.register({ ...config, nats: undefined }, database)],
      providers: [NO_TRACES],
      exports: [NO_TRACES],
    };
  }
}
