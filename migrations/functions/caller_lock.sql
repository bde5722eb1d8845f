-- The number of an advisory lock that is chosen by what a caller names.
--
-- p_hash  of the name
-- Result  the hash, or another number in place of the ten from 7234017283807667300 on. Those are locks of the service
--         itself: of migrations, of the replica that publishes, of epochs and of the days of the outbox. The hash is not
--         secret, so a caller could find ids that lock them out.
CREATE OR REPLACE FUNCTION caller_lock(p_hash bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_hash / 10 = 723401728380766730 THEN p_hash + 10 ELSE p_hash END
$$;
