-- What is known of a task and of some of its attachments.
--
-- KEYS    as in task.lua
-- ARGV    the caller's organisation, keys of attachments
-- Reply   { floor, '1' where the task is deleted else '0', organisation or nil, hash, ... }: one hash for each key, as
--         fields and values, empty where nothing usable is there or the task is another organisation's
-- Atomic, so that the floor is the one that the records go with, and so that two first readers agree on it.

local task = openTask()
local reply = { digits(task.floor), task.deletedVersion and '1' or '0', task.organization }
for i = 2, #ARGV do
  local key = ARGV[i]
  local record = not isForeign(task, ARGV[1]) and findRecord(key)
  local usable = record and record.live and hasBody(key, record)
  reply[#reply + 1] = usable and redis.call('HGETALL', HASHES .. key) or {}
end
return reply
