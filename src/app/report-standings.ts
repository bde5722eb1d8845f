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

/** Why stores are not used, for a standing that is not `home`. */
export function textOfStanding(standing: Standing): string {
  return Object.hasOwn(TEXTS, standing) ? TEXTS[standing as keyof typeof TEXTS] : `the stores are not fit: ${standing}`;
}

/** Writes one line for each change, which names both databases if there are two. */
export function reportStandings(): OnStanding {
  let hasStrayed = false;
  return (standing, { identity, owner, reason }) => {
    if (standing === 'starting') return;
    if (standing === 'home') {
      if (hasStrayed) logger.log('the database is used again');
      hasStrayed = false;
      if (identity && identity.server === undefined) logger.warn(UNTOLD);
      return;
    }
    hasStrayed = true;
    const here = identity ? [`PostgreSQL: database ${identity.databaseId}, epoch ${identity.epoch}`] : [];
    const there = owner ? [`Redis: database ${owner.databaseId}, epoch ${owner.epoch}`] : [];
    const which = standing === 'unfit-schema' ? '' : [...here, ...there].join('; ');
    const line = standing === 'unfit-schema' ? `not ready: ${reason}` : TEXTS[standing];
    logger.error(which ? `${line} (${which})` : line);
  };
}
