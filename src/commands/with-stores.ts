import { Logger, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandModule } from '../app/command.module';
import type { Config } from '../app/config';
import { openDatabase } from '../app/open-database';
import { ProjectChanges } from '../core/use-cases/upkeep/project-changes';
import { PostgresConnection } from '../outbound/postgres/postgres-connection';
import { RedisConnection } from '../outbound/redis/redis-connection';

const REDIS_TIMEOUT_MS = 2000;

/** Every use case, for a command that writes to the stores beside replicas. Publishes no events: a replica does. */
export async function withStores<T>(
  config: Config,
  work: (context: INestApplicationContext) => Promise<T>,
): Promise<T> {
  Logger.overrideLogger(false);
  const module = CommandModule.register(config, await openDatabase(config));
  const context = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
  try {
    await context.get(PostgresConnection).migrate(config.migrates);
    // A cache that is not told would go on answering with what was there before.
    if (config.redis) await context.get(RedisConnection).waitUntilReady(REDIS_TIMEOUT_MS);
    const project = context.get(ProjectChanges);
    await project.execute();
    if (project.standing !== 'home') throw new Error('Redis belongs to another database');
    return await work(context);
  } finally {
    await context.close();
  }
}
