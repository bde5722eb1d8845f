-- A deletion of the whole task that the database has committed.
--
-- KEYS    as in task.lua
-- ARGV    lifetime in ms, version
-- Reply   none
-- Atomic, so that nothing of the task can be seen or written once a part of it has gone.

local ttlMs, version = tonumber(ARGV[1]), tonumber(ARGV[2])
local task = loadTask()
if not task then return end
wipe(task, version)
renewLifetimes(task, ttlMs)
