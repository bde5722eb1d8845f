import { Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { HealthModule } from '../health/health.module';
import { EventsController } from './events.controller';
import { JsonRpcHttpOptions, JsonRpcHttpStrategy } from './json-rpc-http.strategy';
import { TasksController } from './tasks.controller';

/**
 * `POST /rpc`, and every other endpoint that callers use. The application provides, globally, the use cases,
 * `Authenticator`, `LoadShedder` and `CallDurations`, and hands the strategy to `connectMicroservice`.
 */
@Module({})
export class HttpModule implements OnModuleInit {
  constructor(private readonly adapterHost: HttpAdapterHost<FastifyAdapter>) {}

  static register(options: JsonRpcHttpOptions): DynamicModule {
    return {
      module: HttpModule,
      imports: [HealthModule],
      controllers: [TasksController, EventsController],
      providers: [JsonRpcHttpStrategy, { provide: JsonRpcHttpOptions, useValue: options }],
      exports: [JsonRpcHttpStrategy],
    };
  }

  /** Clients announce a content type, or send a body, with every verb: no endpoint but `POST /rpc` reads either. */
  onModuleInit(): void {
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser('*', (_request, body, parsed) => {
      body.resume();
      parsed(null);
    });
  }
}
