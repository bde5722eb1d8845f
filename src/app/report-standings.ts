import { Logger } from '@nestjs/common';
import type { OnStanding, Standing } from '../core/consistency/epoch-watch';

const logger = new Logger('epochs');

const TEXTS: Readonly<Record<Exclude<Standing, 'starting' | 'home' | 'unfit-schema'>, string>> = {
  replaced:
    'PostgreSQL is a server that has been replaced: it is counted as unavailable until the present one is reached',
  'unknown-epoch':
    'not ready until replicas on the original have not used this Redis for ten seconds: PostgreSQL is a restored or promoted copy',
  'other-database': 'not ready: this Redis belongs to another database. See DATABASE_URL and REDIS_URL',
  'unknown-address':
    'not ready: PostgreSQL is unavailable, and no replica with this DATABASE_URL has used this Redis before',
};

/** In place of `unknown-address`, if a server is reached. */
const REPLACED_AT_THE_START =
  'not ready: PostgreSQL is a server that has been replaced, and no replica with this DATABASE_URL has used this Redis before';

const NEW_EPOCH =
  'a new epoch has begun, as PostgreSQL was restored or replaced: nothing that was cached before is believed';

const UNTOLD =
  'PostgreSQL does not tell which server it is (pg_control_system): run `dossier new-epoch` after a backup is restored';

/** Why stores are not used, for a standing that is not `home`. */
export function textOfStanding(standing: Standing): string {
  return Object.hasOwn(TEXTS, standing) ? TEXTS[standing as keyof typeof TEXTS] : `the stores are not fit: ${standing}`;
}

/** Writes one line for each change, which names both databases if there are two. */
export function reportStandings(): OnStanding {
  let hasStrayed = false;
  return (standing, { identity, owner, reason, ended }) => {
    if (standing === 'starting') return;
    if (standing === 'home') {
      if (ended !== undefined) logger.warn(identity ? `${NEW_EPOCH} (${nameOf(identity)})` : NEW_EPOCH);
      if (hasStrayed) logger.log('the database is used again');
      hasStrayed = false;
      if (identity && identity.server === undefined) logger.warn(UNTOLD);
      return;
    }
    hasStrayed = true;
    const here = identity ? [`PostgreSQL: ${nameOf(identity)}`] : [];
    const there = owner ? [`Redis: ${nameOf(owner)}`] : [];
    logger.error(lineOf(standing, [...here, ...there].join('; '), reason, identity !== undefined));
  };
}

function lineOf(
  standing: Exclude<Standing, 'starting' | 'home'>,
  which: string,
  reason: string | undefined,
  isReached: boolean,
): string {
  if (standing === 'unfit-schema') return `not ready: ${reason}`;
  const text = standing === 'unknown-address' && isReached ? REPLACED_AT_THE_START : TEXTS[standing];
  return which ? `${text} (${which})` : text;
}

function nameOf({ databaseId, epoch }: { databaseId: string; epoch: string }): string {
  return `database ${databaseId}, epoch ${epoch}`;
}
