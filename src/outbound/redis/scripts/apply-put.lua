-- A put that the database has committed.
--
-- KEYS    as in task.lua
-- ARGV    lifetime in ms, then the attachment
-- Reply   the version of another journaled write that supersedes this one; nil if there is none
-- Atomic, so that the higher of two versions wins, in whatever order they arrive.

local ttlMs = tonumber(ARGV[1])
local put = attachmentAt(2)
local task = loadTask()
if not task or task.deletedVersion then return end
local record = reliableRecord(task, put.key, put.version)
if record and record.version >= put.version then return newerJournaled(record, put.op) end

if isKnown(record) or put.version > task.floor then
  writeRecord(task, put, record, 'cached', ttlMs)
else
  -- Something newer may have been known and then forgotten.
  forget(task, put.version)
end
renewLifetimes(task, ttlMs)
