DROP FUNCTION begin_epoch(uuid);
DROP FUNCTION present_server();
DROP TABLE database_identity;
