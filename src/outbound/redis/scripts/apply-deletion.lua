-- A deletion of one attachment that the database has committed.
--
-- KEYS    as in task.lua
-- ARGV    lifetime in ms, key, version, op
-- Reply   the version of another journaled write that supersedes this one; nil if there is none
-- Atomic, so that no fill or put of an older version takes effect between the check and the removal.

local ttlMs, key, version, op = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4]
local task = loadTask()
if not task or task.deletedVersion then return end
local record = reliableRecord(task, key, version)
if record and record.version >= version then return newerJournaled(record, op) end

removeRecord(task, key, record)
raiseFloor(task, version)
renewLifetimes(task, ttlMs)
