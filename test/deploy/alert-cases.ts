/**
 * Series and their values, as promtool writes them: `1x40` is 1 and forty times 1 again, `0+5x40` rises by 5, each 15
 * s.
 */
type Series = Readonly<Record<string, string>>;

/** When an alert must fire, and what looks similar and must not make it fire; both after `afterMinutes`. */
export interface AlertCase {
  readonly afterMinutes: number;
  readonly firing: Series;
  readonly quiet: Series;
  /** Another of that kind: it has an alert of its own. */
  readonly quietToo?: Series;
}

const A = 'job="dossier",instance="a"';
const B = 'job="dossier",instance="b"';
const ok = (outcome: string, more = '') =>
  `dossier_request_duration_seconds_count{${A},method="task.get",transport="http",outcome="${outcome}"${more}}`;
const bucket = (le: string) =>
  `dossier_request_duration_seconds_bucket{${A},method="task.get",transport="http",outcome="ok",le="${le}"}`;
const up = (dependency: string, replica = A) => `dossier_dependency_up{${replica},dependency="${dependency}"}`;
const fit = (dependency: string) => `dossier_dependency_fit{${A},dependency="${dependency}"}`;
const down = (dependency: string): AlertCase => ({
  afterMinutes: 5,
  firing: { [up(dependency)]: '1x40', [up(dependency, B)]: '0x40' },
  // It has come back before a minute was over, and another server is down.
  quiet: { [up(dependency)]: '1x16 0x1 1x20', [up('other')]: '0x40' },
});

export const ALERT_CASES: Readonly<Record<string, AlertCase>> = {
  DossierUnreachable: {
    afterMinutes: 5,
    firing: { [`up{${A}}`]: '0x40', [`up{${B}}`]: '0x40' },
    quiet: { [`up{${A}}`]: '0x40', [`up{${B}}`]: '1x40' },
  },
  DossierReplicaDown: {
    afterMinutes: 5,
    firing: { [`up{${A}}`]: '0x40' },
    quiet: { [`up{${A}}`]: '1x16 0x1 1x20', 'up{job="other",instance="c"}': '0x40' },
  },
  DossierPostgresDown: down('postgres'),
  DossierRedisDown: down('redis'),
  DossierNatsDown: down('nats'),
  DossierDependencyUnfit: {
    afterMinutes: 10,
    firing: { [fit('redis')]: '0x60', [up('redis')]: '1x60' },
    quiet: { [fit('redis')]: '0x60', [up('redis')]: '0x60', [fit('nats')]: '1x60', [up('nats')]: '1x60' },
  },
  DossierCallsFail: {
    afterMinutes: 15,
    firing: { [ok('ok')]: '0+100x80', [ok('failed')]: '0+5x80' },
    quiet: { [ok('ok')]: '0+1000x80', [ok('failed')]: '0+5x80', [ok('not_found')]: '0+500x80' },
  },
  DossierCallsSlow: {
    afterMinutes: 20,
    firing: { [bucket('0.5')]: '0+90x100', [bucket('1')]: '0+100x100', [bucket('+Inf')]: '0+100x100' },
    quiet: { [bucket('0.5')]: '0+999x100', [bucket('1')]: '0+1000x100', [bucket('+Inf')]: '0+1000x100' },
  },
  DossierOverloaded: {
    afterMinutes: 15,
    firing: { [`dossier_requests_rejected_total{${A},reason="overloaded"}`]: '0+100x80' },
    quiet: {
      [`dossier_requests_rejected_total{${A},reason="overloaded"}`]: '0+1x80',
      [`dossier_requests_rejected_total{${A},reason="rate_limited"}`]: '0+100x80',
    },
  },
  DossierAuthenticationFails: {
    afterMinutes: 20,
    firing: { [`dossier_authentication_failures_total{${A},reason="wrong_key"}`]: '0+100x100' },
    quiet: { [`dossier_authentication_failures_total{${A},reason="wrong_key"}`]: '0+1x100' },
  },
  DossierBreakerOpen: {
    afterMinutes: 5,
    firing: {
      [`dossier_breaker_open{${A},dependency="redis",operation="task.get"}`]: '1x40',
      [up('redis')]: '1x40',
      [up('postgres')]: '0x40',
    },
    quiet: { [`dossier_breaker_open{${A},dependency="redis",operation="task.get"}`]: '0x15 1x1 0x30' },
    quietToo: {
      [`dossier_breaker_open{${A},dependency="redis",operation="task.get"}`]: '1x40',
      [up('redis')]: '0x40',
    },
  },
  DossierAnswersDegraded: {
    afterMinutes: 15,
    firing: { [`dossier_degraded_answers_total{${A},method="task.get"}`]: '0+1x80' },
    quiet: { [`dossier_degraded_answers_total{${A},method="task.get"}`]: '7x80' },
  },
  DossierJournalStuck: {
    afterMinutes: 5,
    firing: { [`dossier_journal_waiting{${A}}`]: '3x40', [up('postgres')]: '1x40' },
    quiet: { [`dossier_journal_waiting{${A}}`]: '3x40', [up('postgres')]: '0x40' },
  },
  DossierJournalOld: {
    afterMinutes: 5,
    firing: { [`dossier_journal_oldest_seconds{${A}}`]: '901x40' },
    quiet: { [`dossier_journal_oldest_seconds{${A}}`]: '800x40', [`dossier_journal_oldest_seconds{${B}}`]: '800x40' },
  },
  DossierDeadLetters: {
    afterMinutes: 5,
    firing: { [`dossier_journal_dead_letters{${A}}`]: '0x4 1x40' },
    quiet: { [`dossier_journal_dead_letters{${A}}`]: '0x40' },
  },
  DossierEventsLate: {
    afterMinutes: 5,
    firing: { [`dossier_outbox_oldest_seconds{${A}}`]: '31x40' },
    quiet: { [`dossier_outbox_oldest_seconds{${A}}`]: '20x40', [`dossier_outbox_oldest_seconds{${B}}`]: '20x40' },
  },
  DossierPublishers: {
    afterMinutes: 5,
    firing: {
      [`dossier_publisher_leader{${A}}`]: '0x40',
      [`dossier_publisher_leader{${B}}`]: '0x40',
      [up('nats')]: '1x40',
      [up('postgres')]: '1x40',
    },
    quiet: {
      [`dossier_publisher_leader{${A}}`]: '0x10 1x40',
      [`dossier_publisher_leader{${B}}`]: '1x8 0x42',
      [up('nats')]: '1x40',
      [up('postgres')]: '1x40',
    },
    quietToo: { [`dossier_publisher_leader{${A}}`]: '0x40', [up('nats')]: '1x40', [up('postgres')]: '0x40' },
  },
  DossierCacheNotTrusted: {
    afterMinutes: 5,
    firing: {
      [`dossier_cache_trusted{${A}}`]: '1x40',
      [`dossier_cache_trusted{${B}}`]: '0x40',
      [up('redis')]: '1x40',
      [up('postgres')]: '1x40',
    },
    quiet: { [`dossier_cache_trusted{${A}}`]: '0x40', [up('redis')]: '0x40', [up('postgres')]: '1x40' },
    quietToo: { [`dossier_cache_trusted{${A}}`]: '0x40', [up('redis')]: '1x40', [up('postgres')]: '0x40' },
  },
  DossierProjectionLate: {
    afterMinutes: 5,
    firing: { [`dossier_projection_lag_seconds{${A}}`]: '40x40', [up('redis')]: '1x40', [up('postgres')]: '1x40' },
    quiet: {
      [`dossier_projection_lag_seconds{${A}}`]: '20x40',
      [`dossier_projection_lag_seconds{${B}}`]: '20x40',
      [up('postgres')]: '1x40',
    },
    quietToo: { [`dossier_projection_lag_seconds{${A}}`]: '40x40', [up('redis')]: '1x40', [up('postgres')]: '0x40' },
  },
  DossierPoolExhausted: {
    afterMinutes: 5,
    firing: {
      [`dossier_pool_waiting{${A}}`]: '9x40',
      [`dossier_pool_in_use{${A}}`]: '16x40',
      [`dossier_pool_size{${A}}`]: '16x40',
    },
    quiet: {
      [`dossier_pool_waiting{${A}}`]: '9 0 9 0 9 0 9 0 9 0 9 0 9 0 9 0 9 0 9 0 9 0 9 0',
      [`dossier_pool_in_use{${A}}`]: '16x40',
      [`dossier_pool_size{${A}}`]: '16x40',
    },
  },
  DossierEventLoopSlow: {
    afterMinutes: 10,
    firing: { [`nodejs_eventloop_lag_p99_seconds{${A}}`]: '0.6x60' },
    quiet: {
      [`nodejs_eventloop_lag_p99_seconds{${A}}`]: '0.1x60',
      'nodejs_eventloop_lag_p99_seconds{job="other"}': '2x60',
    },
  },
  DossierJobStopped: {
    afterMinutes: 10,
    firing: {
      [`dossier_job_last_success_timestamp_seconds{${A},exported_job="drain_the_journal"}`]: '0x60',
      [up('redis')]: '1x60',
    },
    // One replica does it, and the purge is not due.
    quiet: {
      [`dossier_job_last_success_timestamp_seconds{${A},exported_job="drain_the_journal"}`]: '0x60',
      [`dossier_job_last_success_timestamp_seconds{${B},exported_job="drain_the_journal"}`]: '0+15x60',
      [`dossier_job_last_success_timestamp_seconds{${A},exported_job="purge_history"}`]: '0x60',
    },
    quietToo: {
      [`dossier_job_last_success_timestamp_seconds{${A},exported_job="drain_the_journal"}`]: '0x60',
      [up('redis')]: '0x60',
    },
  },
  DossierVersionsMixed: {
    afterMinutes: 40,
    firing: { [`dossier_build_info{${A},version="1"}`]: '1x200', [`dossier_build_info{${B},version="2"}`]: '1x200' },
    quiet: { [`dossier_build_info{${A},version="2"}`]: '1x200', [`dossier_build_info{${B},version="2"}`]: '1x200' },
  },
  DossierNatsRequestsDropped: {
    afterMinutes: 5,
    firing: { [`dossier_nats_requests_dropped_total{${A},reason="reply_subject"}`]: '0x8 1x40' },
    quiet: { [`dossier_nats_requests_dropped_total{${A},reason="reply_subject"}`]: '4x40' },
  },
};
