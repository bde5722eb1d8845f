import { Logger, Module, type DynamicModule } from '@nestjs/common';
import { EventBus } from '../../core/ports/event-bus';
import { Tracing } from '../../core/ports/tracing';
import { NatsConnection, type NatsConnectionOptions } from './nats-connection';
import { NatsEventBus } from './nats-event-bus';
import { NatsNames } from './nats-names';

export type NatsModuleOptions = Omit<NatsConnectionOptions, 'onChange'>;

/** For requests. Whoever floods it keeps no event waiting, as these go out through a connection of their own. */
export class NatsRequestConnection extends NatsConnection {}

/** The connections to NATS, and the events that go out through one of them. */
@Module({})
export class NatsModule {
  static register(options: NatsModuleOptions): DynamicModule {
    return {
      module: NatsModule,
      providers: [
        { provide: NatsConnection, useFactory: () => connect(new NatsConnection(logged('nats', options))) },
        {
          provide: NatsRequestConnection,
          useFactory: () => connect(new NatsRequestConnection(logged('nats requests', forRequests(options)))),
        },
        {
          provide: EventBus,
          useFactory: (connection: NatsConnection, tracing: Tracing) =>
            openEventBus(connection, new NatsNames(options.prefix), tracing),
          inject: [NatsConnection, Tracing],
        },
      ],
      exports: [NatsConnection, NatsRequestConnection, EventBus],
    };
  }
}

function logged(name: string, options: NatsModuleOptions): NatsConnectionOptions {
  const logger = new Logger(name);
  return {
    ...options,
    onChange: (state, cause) =>
      state === 'up' ? logger.log('connected') : logger.warn(`not connected: ${cause?.message ?? 'connection closed'}`),
  };
}

function forRequests(options: NatsModuleOptions): NatsModuleOptions {
  return { ...options, clientName: `${options.clientName} requests` };
}

function connect<T extends NatsConnection>(connection: T): T {
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
