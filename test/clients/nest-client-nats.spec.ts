import { Logger } from '@nestjs/common';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { outcomeOf } from './support/client';
import { describeClient } from './support/describe-client';
import { natsSuite } from './support/nats-suite';

// It would log its connection.
beforeAll(() => void Logger.overrideLogger(false));

describeClient(
  "Nest's ClientNats",
  natsSuite(async (url) => {
    const client = ClientProxyFactory.create({ transport: Transport.NATS, options: { servers: [url] } });
    await client.connect();
    return {
      // Nest's packets need data: {} stands for no params.
      call: ({ method, params = {} }) => outcomeOf(firstValueFrom(client.send<unknown>(method, params))),
      notify: async ({ method, params = {} }) => {
        await lastValueFrom(client.emit(method, params), { defaultValue: undefined });
      },
      close: async () => void (await client.close()),
    };
  }),
);
