DROP FUNCTION write_attachment(
  text, text, boolean, text, text, json, text, text, text, bigint, integer, text, timestamptz, timestamptz,
  timestamptz, bigint, uuid, json, json, text, text, boolean, bigint, timestamptz, integer);
