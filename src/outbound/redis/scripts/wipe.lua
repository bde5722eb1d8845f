-- A deletion of the whole task that the database has committed.
--
-- KEYS    as in task.lua
-- ARGV    lifetime in ms, version
-- Reply   none
-- Atomic, so that nothing of the task can be seen or written once a part of it has gone.

local ttlMs, version = tonumber(ARGV[1]), tonumber(ARGV[2])
local task = loadTask()
if not task then return end
for key, record in pairs(allRecords()) do removeRecord(task, key, record) end
redis.call('DEL', INDEX)
redis.call('HDEL', CONTROL, 'x')
redis.call('HSET', CONTROL, 'd', digits(version), 'm', '0')
forget(task, version)
renewLifetimes(task, ttlMs)
