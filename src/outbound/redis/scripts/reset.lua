-- Makes the cache forget what it holds of one task, but for what is journaled.
--
-- KEYS    as in task.lua
-- ARGV    the key of an attachment, or nothing for the whole task
-- Reply   none
-- Atomic, so that a write that is journaled meanwhile stays whole.
--
-- For the key of an attachment, forgets only a hash that is left over: no record of the task belongs to it.

local key = ARGV[1]
if redis.call('TYPE', CONTROL).ok ~= 'hash' then
  redis.call('UNLINK', CONTROL, INDEX)
elseif not key then
  for each, record in pairs(allRecords()) do
    if record.mark ~= 'journaled' then redis.call('UNLINK', HASHES .. each) end
  end
  keepJournaled()
  return
end
if key and not redis.pcall('HGET', CONTROL, 'r:' .. key) then redis.call('UNLINK', HASHES .. key) end
