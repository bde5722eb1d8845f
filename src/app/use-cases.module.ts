import { Global, Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { AttachmentCache } from '../core/ports/attachment-cache';
import { AttachmentJournal } from '../core/ports/attachment-journal';
import { AttachmentStore } from '../core/ports/attachment-store';
import { CacheEpoch } from '../core/ports/cache-epoch';
import { Clock } from '../core/ports/clock';
import { CoreSettings } from '../core/ports/core-settings';
import { DueTaskStore } from '../core/ports/due-task-store';
import { EventBus } from '../core/ports/event-bus';
import { ExpiredAttachmentStore } from '../core/ports/expired-attachment-store';
import { IdSource } from '../core/ports/id-source';
import { Metrics } from '../core/ports/metrics';
import { Outbox } from '../core/ports/outbox';
import { Quotas } from '../core/ports/quotas';
import { StoreServer } from '../core/ports/store-server';
import { TaskStore } from '../core/ports/task-store';
import { Tracing } from '../core/ports/tracing';
import { Breakers } from '../outbound/breakers/breakers';
import { BreakersModule } from '../outbound/breakers/breakers.module';
import type { Database } from '../outbound/postgres/database';
import type { WithBreaker } from './composition';
import type { Config } from './config';
import { openQuotas } from './open-quotas';
import { OutboundModule } from './outbound.module';
import { reportStandings } from './report-standings';
import { newReplicaState, type Ports } from './replica-state';
import { composeUseCases, USE_CASE_CLASSES, UseCases } from './use-cases';

/** The token of each port. */
const PORT_TOKENS: { readonly [Name in keyof Ports]: abstract new (...args: never[]) => Ports[Name] } = {
  store: AttachmentStore,
  tasks: TaskStore,
  cache: AttachmentCache,
  cacheEpoch: CacheEpoch,
  journal: AttachmentJournal,
  server: StoreServer,
  expired: ExpiredAttachmentStore,
  dueTasks: DueTaskStore,
  outbox: Outbox,
  bus: EventBus,
  clock: Clock,
  ids: IdSource,
  metrics: Metrics,
  settings: CoreSettings,
  quotas: Quotas,
  tracing: Tracing,
};

/**
 * Every use case, on the ports that the configuration chooses. Global: every module of `inbound` drives some of them.
 */
@Global()
@Module({})
export class UseCasesModule {
  static register(config: Config, database: Database): DynamicModule {
    const { instanceId, maxAttachmentBytes, cacheTtlMs, finishedRetentionMs } = config;
    const settings = new CoreSettings(instanceId, maxAttachmentBytes, cacheTtlMs, finishedRetentionMs);
    return {
      module: UseCasesModule,
      imports: [OutboundModule.register(config, database), BreakersModule],
      providers: [
        { provide: CoreSettings, useValue: settings },
        { provide: Quotas, useValue: openQuotas(config) },
        useCases(config),
        ...EACH_USE_CASE,
      ],
      exports: [BreakersModule, CoreSettings, UseCases, ...EACH_USE_CASE],
    };
  }
}

function useCases(config: Config): FactoryProvider<UseCases> {
  const names = Object.keys(PORT_TOKENS);
  return {
    provide: UseCases,
    useFactory: (breakers: Breakers, ...adapters: unknown[]) => {
      const ports = Object.fromEntries(names.map((name, i) => [name, adapters[i]])) as unknown as Ports;
      const state = newReplicaState(ports, { onStanding: reportStandings() });
      return composeUseCases(ports, { withBreaker: breakersOf(config, breakers), state });
    },
    inject: [Breakers, ...Object.values(PORT_TOKENS)],
  };
}

/** Each use case under its own class, as controllers and jobs ask for it. */
const EACH_USE_CASE = Object.entries(USE_CASE_CLASSES).map(([name, useCase]) => ({
  provide: useCase,
  useFactory: (all: UseCases) => all[name as keyof UseCases],
  inject: [UseCases],
}));

/** What is embedded answers, or refuses at once: its ports need no breaker. */
function breakersOf({ store, redis }: Config, breakers: Breakers): WithBreaker {
  const isServer = { postgres: store.kind === 'postgres', redis: redis !== undefined };
  return (store, method, port) => (isServer[store] ? breakers.wrap(store, method, port) : port);
}
