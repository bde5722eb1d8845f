-- One more call in a window.
--
-- KEYS    the window
-- ARGV    length of the window in ms
-- Reply   { calls in the window, this one included; ms until it ends }
-- Atomic, so that no window is left without an end, and that of replicas which call at once none reads a count that
-- another has changed.
--
-- What stands under the name may be anything: what no count can be is replaced, and every window ends.

local WINDOW, windowMs = KEYS[1], tonumber(ARGV[1])
local calls = redis.pcall('INCR', WINDOW)
if type(calls) ~= 'number' or calls < 1 then
  redis.call('SET', WINDOW, 1)
  calls = 1
end
local endsInMs = redis.call('PTTL', WINDOW)
if endsInMs < 0 or endsInMs > windowMs then
  redis.call('PEXPIRE', WINDOW, windowMs)
  endsInMs = windowMs
end
return { calls, endsInMs }
