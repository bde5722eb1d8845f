-- One more call in a window.
--
-- KEYS    the window
-- ARGV    length of the window in ms
-- Reply   { calls in the window, this one included; ms until it ends }
-- Atomic, so that no window is left without an end, and that of replicas which call at once none reads a count that
-- another has changed.

local calls = redis.call('INCR', KEYS[1])
if calls == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { calls, redis.call('PTTL', KEYS[1]) }
