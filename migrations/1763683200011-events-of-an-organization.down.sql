DROP TABLE event_position_key;
DROP INDEX outbox_by_organization;
