-- Counts more calls in a window.
--
-- KEYS    the window
-- ARGV    length of the window in ms; how many calls
-- Reply   { calls in the window, including these; ms until the window ends }
-- Atomic, so that no window is left without an end, and so that replicas which count at the same time all get
-- different counts.
--
-- The key may hold a foreign value. A value that cannot be a count is replaced, and every window gets an end.

local WINDOW, windowMs, more = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local calls = redis.pcall('INCRBY', WINDOW, more)
if type(calls) ~= 'number' or calls < more then
  redis.call('SET', WINDOW, more)
  calls = more
end
local endsInMs = redis.call('PTTL', WINDOW)
if endsInMs < 0 or endsInMs > windowMs then
  redis.call('PEXPIRE', WINDOW, windowMs)
  endsInMs = windowMs
end
return { calls, endsInMs }
