import { Logger, Module, type DynamicModule } from '@nestjs/common';
import { EventBus } from '../../core/ports/event-bus';
import { Tracing } from '../../core/ports/tracing';
import { NatsConnection, type NatsConnectionOptions } from './nats-connection';
import { NatsEventBus } from './nats-event-bus';
import { NatsNames } from './nats-names';

export type NatsModuleOptions = Omit<NatsConnectionOptions, 'onChange'>;

/** The connection to NATS, and the events that go out through it. */
@Module({})
export class NatsModule {
  static register(options: NatsModuleOptions): DynamicModule {
    return {
      module: NatsModule,
      providers: [
        { provide: NatsConnection, useFactory: () => connect(options) },
        {
          provide: EventBus,
          useFactory: (connection: NatsConnection, tracing: Tracing) =>
            openEventBus(connection, new NatsNames(options.prefix), tracing),
          inject: [NatsConnection, Tracing],
        },
      ],
      exports: [NatsConnection, EventBus],
    };
  }
}

function connect(options: NatsModuleOptions): NatsConnection {
  const logger = new Logger('nats');
  const connection = new NatsConnection({
    ...options,
    onChange: (state, cause) =>
      state === 'up' ? logger.log('connected') : logger.warn(`not connected: ${cause?.message ?? 'connection closed'}`),
  });
  connection.connect();
  return connection;
}

function openEventBus({ client }: NatsConnection, names: NatsNames, tracing: Tracing): NatsEventBus {
  const logger = new Logger(NatsEventBus.name);
  const onPlain = () =>
    logger.warn(
      'JETSTREAM IS NOT ENABLED on this NATS server: events are lost for every subscriber that is not connected',
    );
  return new NatsEventBus({ client, names, tracing, onPlain });
}
