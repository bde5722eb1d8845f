import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const FOLDER = join(__dirname, '../../../migrations');
let last: number | undefined;
const UP_FILE = /^(\d{13})-([a-z0-9-]+)\.up\.sql$/;

/**
 * The files `<13 digits>-<name>.up.sql` and `.down.sql` as TypeORM's migrations, in the order of their digits. Throws
 * if one of the two is missing.
 */
export function sqlMigrations(folder = FOLDER): (new () => MigrationInterface)[] {
  return readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const [, timestamp, name] = UP_FILE.exec(file) ?? [];
      return timestamp && name ? [sqlMigration(folder, timestamp, name)] : [];
    });
}

/** The digits of the last one: they tell the versions of the service apart. */
export function lastMigration(): number {
  last ??= Math.max(...readdirSync(FOLDER).map((file) => Number(UP_FILE.exec(file)?.[1] ?? 0)));
  return last;
}

function sqlMigration(folder: string, timestamp: string, name: string): new () => MigrationInterface {
  const sql = (direction: 'up' | 'down') => readFileSync(join(folder, `${timestamp}-${name}.${direction}.sql`), 'utf8');
  const [up, down] = [sql('up'), sql('down')];
  return class implements MigrationInterface {
    readonly name = className(name) + timestamp;
    async up(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.query(up);
    }
    async down(queryRunner: QueryRunner): Promise<void> {
      await queryRunner.query(down);
    }
  };
}

function className(kebabCase: string): string {
  return kebabCase.replace(/(?:^|-)([a-z0-9])/g, (_, initial: string) => initial.toUpperCase());
}
