-- The events of one organization are read by their own index. Their positions count the transactions of all, so the ids
-- that readers see are sealed with a key that the replicas share.
CREATE INDEX outbox_by_organization ON outbox (organization, seq);

CREATE TABLE event_position_key (
  id  boolean PRIMARY KEY DEFAULT true CHECK (id),
  key bytea NOT NULL
);
INSERT INTO event_position_key (key)
VALUES (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
