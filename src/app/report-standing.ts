import { Logger } from '@nestjs/common';
import type { OnStanding, Standing } from '../core/consistency/epoch-watch';

const logger = new Logger('epochs');

const TEXTS: Readonly<Record<Exclude<Standing, 'starting' | 'home' | 'unfit-schema'>, string>> = {
  replaced:
    'PostgreSQL is a server that has been replaced: it is counted as unavailable until the present one is reached',
  'unknown-epoch':
    'not ready: PostgreSQL is a restored or promoted copy, and replicas on the original still use this Redis',
  'other-database': 'not ready: this Redis belongs to another database. See DATABASE_URL and REDIS_URL',
  'unknown-address':
    'not ready: PostgreSQL is unavailable, and no replica with this DATABASE_URL has used this Redis before',
};

const UNTOLD =
  'PostgreSQL does not tell which server it is (pg_control_system): run `dossier new-epoch` after a backup is restored';

let hasStrayed = false;

/** One line for each change, which names both databases if there are two. */
export const reportStanding: OnStanding = (standing, { identity, owner, reason }) => {
  if (standing === 'starting') return;
  if (standing === 'home') {
    if (hasStrayed) logger.log('the database is used again');
    hasStrayed = false;
    if (identity && identity.server === undefined) logger.warn(UNTOLD);
    return;
  }
  hasStrayed = true;
  if (standing === 'unfit-schema') return logger.error(`not ready: ${reason}`);
  const here = identity ? [`PostgreSQL: database ${identity.databaseId}, epoch ${identity.epoch}`] : [];
  const there = owner ? [`Redis: database ${owner.databaseId}, epoch ${owner.epoch}`] : [];
  const which = [...here, ...there].join('; ');
  logger.error(which ? `${TEXTS[standing]} (${which})` : TEXTS[standing]);
};
