-- Which versions of the service may run on this schema. A version is told by the last migration that it carries. What
-- only adds to the schema leaves the row as it is; what removes something that a version uses raises it, in the same
-- migration. Every version reads these columns, earlier ones too: they stay as they are.
CREATE TABLE schema_compatibility (
  is_only         boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  -- A version that does not carry this migration must not run.
  compatible_from bigint NOT NULL,
  -- The first release that carries it, for the log.
  first_release   text NOT NULL
);

INSERT INTO schema_compatibility (compatible_from, first_release) VALUES (1763683200021, '0.1.0');
