-- A deletion of the whole task that the database has committed.
--
-- KEYS    as in task.lua
-- ARGV    lifetime in ms, version
-- Reply   none
-- Atomic, so that nothing of the task can be read or written after a part of it has been removed.

local ttlMs, version = tonumber(ARGV[1]), tonumber(ARGV[2])
local task = loadTask()
if not task then return end
wipe(task, version)
renewLifetimes(task, ttlMs)
