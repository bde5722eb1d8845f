import { Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { Tracing } from '../../core/ports/tracing';
import { HealthModule } from '../health/health.module';
import { CallDurations } from '../json-rpc/call-durations';
import { LoadShedder } from '../load/load-shedder';
import { EventPages } from './event-pages';
import { EventsController } from './events.controller';
import { FrontDoor, type FrontDoorOptions } from './front-door';
import { traceRequests } from './http-span';
import { JsonRpcHttpOptions, JsonRpcHttpStrategy } from './json-rpc-http.strategy';
import { dropBody, MAX_UNREAD_BYTES } from './read-body';
import { TasksController } from './tasks.controller';

/**
 * `POST /rpc`, and every other endpoint that callers use. The application provides, globally, the use cases,
 * `Authenticator`, `LoadShedder`, `CallDurations` and `Tracing`, and hands the strategy to `connectMicroservice`.
 */
@Module({})
export class HttpModule implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
    private readonly frontDoor: FrontDoor,
    private readonly tracing: Tracing,
  ) {}

  static register(options: JsonRpcHttpOptions, frontDoor: FrontDoorOptions): DynamicModule {
    return {
      module: HttpModule,
      imports: [HealthModule],
      controllers: [TasksController, EventsController],
      providers: [
        JsonRpcHttpStrategy,
        EventPages,
        { provide: JsonRpcHttpOptions, useValue: options },
        {
          provide: FrontDoor,
          useFactory: (durations: CallDurations, load: LoadShedder) =>
            new FrontDoor(
              frontDoor,
              (error, ids) => durations.rejected(error, ids),
              (sender) => load.arrive(sender),
            ),
          inject: [CallDurations, LoadShedder],
        },
      ],
      exports: [JsonRpcHttpStrategy],
    };
  }

  /** Clients announce a content type, or send a body, with every verb: no endpoint but `POST /rpc` reads either. */
  onModuleInit(): void {
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    if (this.tracing.isOn) traceRequests(fastify, this.tracing);
    this.frontDoor.install(fastify);
    fastify.removeAllContentTypeParsers();
    fastify.addContentTypeParser('*', (_request, body, parsed) => {
      dropBody(body, MAX_UNREAD_BYTES);
      parsed(null);
    });
  }
}
