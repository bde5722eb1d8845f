import { Global, Module, type DynamicModule } from '@nestjs/common';
import { AttachmentCache } from '../core/ports/attachment-cache';
import { AttachmentJournal } from '../core/ports/attachment-journal';
import { Outbox } from '../core/ports/outbox';
import { PublishEvents } from '../core/use-cases/events/publish-events';
import { DrainJournal } from '../core/use-cases/upkeep/drain-journal';
import { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import { AdminModule } from '../inbound/admin/admin.module';
import { LogLevels } from '../inbound/admin/log-levels';
import { ReplicaStatus } from '../inbound/admin/replica-status';
import { OperatorKeys } from '../inbound/auth/operator-keys';
import { BackgroundJobs } from '../inbound/background/background-jobs';
import { DependencyWatch } from '../inbound/health/dependency-watch';
import { HealthModule } from '../inbound/health/health.module';
import { Lifecycle } from '../inbound/health/lifecycle';
import { Readiness } from '../inbound/health/readiness';
import type { RateLimitRules } from '../inbound/methods/rate-limit-rules';
import { Breakers } from '../outbound/breakers/breakers';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import type { Config } from './config';
import { openOperatorKeys } from './open-authenticator';
import { ReplicaFacts } from './replica-facts';
import type { Tokens } from './wire';

type Observed = ConstructorParameters<typeof ReplicaFacts> extends [...infer Facts, Config] ? Facts : never;

const OBSERVED: Tokens<Observed> = [
  Lifecycle,
  Readiness,
  DependencyWatch,
  Breakers,
  BackgroundJobs,
  ProjectChanges,
  DrainJournal,
  PublishEvents,
  PostgresConnection,
  AttachmentCache,
  AttachmentJournal,
  Outbox,
  LogLevels,
];

/** What an operator may ask of this replica over HTTP. Without `OPERATOR_KEYS_FILE` its paths do not exist. */
@Global()
@Module({})
export class OperatorSurface {
  /** Undefined if there are no operators. Throws `ConfigError` if their key file cannot be used. */
  static register(config: Config, rules: RateLimitRules): DynamicModule | undefined {
    const keys = openOperatorKeys(config);
    if (!keys) return undefined;
    const status = {
      provide: ReplicaStatus,
      useFactory: (...observed: Observed) => new ReplicaFacts(...observed, config),
      inject: [...OBSERVED],
    };
    const providers = [{ provide: OperatorKeys, useValue: keys }, status];
    const imports = [HealthModule, AdminModule.register(rules)];
    return { module: OperatorSurface, imports, providers, exports: [OperatorKeys, ReplicaStatus] };
  }
}
