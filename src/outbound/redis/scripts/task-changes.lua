-- Functions for the scripts that change a task: this file is put before each of them, after task.lua. It is not put
-- before scripts that only read, because every run of a script creates all functions again.

-- The version of the record, if it is another write that was journaled: the database may not know that write yet.
local function newerJournaled(record, op)
  return record.mark ~= 'cached' and record.op ~= op and digits(record.version) or nil
end

-- Whether nothing newer than the record can have been forgotten. A drained deletion counts as no record.
local function isKnown(record)
  return record and (record.live or record.mark ~= 'drained')
end

local function countLive(task, change)
  task.live = task.live + change
  redis.call('HSET', CONTROL, 'm', digits(task.live))
end

local function countUndrained(task, change)
  task.undrained = math.max(task.undrained + change, 0)
  redis.call('HSET', CONTROL, 'n', digits(task.undrained))
  if task.undrained == 0 then redis.call('HDEL', CONTROL, 'u') end
end

-- Voids every token, and every put up to the version that has not arrived yet.
local function raiseFloor(task, version)
  task.floor = math.max(task.floor + 1, version)
  if task.floor == task.spentToken then task.floor = task.floor + 1 end
  redis.call('HSET', CONTROL, 'f', digits(task.floor))
end

-- Nothing of the task has ever been forgotten: every version is new. The token of readers must not become valid again
-- when the floor rises.
local function lowerFloor(task)
  redis.call('HSET', CONTROL, 'f', '0', 't', digits(task.floor))
  task.spentToken, task.floor = task.floor, 0
end

local function forget(task, version)
  redis.call('HSET', CONTROL, 'c', '0')
  raiseFloor(task, version)
end

-- The attachment that begins at ARGV[at]: key, version, op, expiresAt or 0, createdAt, the number of arguments that
-- follow, fields and values of its hash. Also returns where the next attachment begins.
local function attachmentAt(at)
  local size = tonumber(ARGV[at + 5])
  local attachment = {
    key = ARGV[at],
    version = tonumber(ARGV[at + 1]),
    op = ARGV[at + 2],
    expiresAt = tonumber(ARGV[at + 3]),
    createdAt = ARGV[at + 4],
    fields = { unpack(ARGV, at + 6, at + 5 + size) },
  }
  return attachment, at + 6 + size
end

local function enterIndex(key, createdAt)
  local added = redis.pcall('ZADD', INDEX, createdAt, key)
  if type(added) == 'table' then
    redis.call('DEL', INDEX)
    redis.call('ZADD', INDEX, createdAt, key)
  end
end

-- Without fields (a fill without bodies) the record has no hash. The hash of a journaled record is the only copy of its
-- attachment, and has no lifetime.
local function writeHash(attachment, mark, ttlMs)
  local name = HASHES .. attachment.key
  redis.call('DEL', name)
  if #attachment.fields == 0 then return end
  redis.call('HSET', name, unpack(attachment.fields))
  if mark ~= 'journaled' then redis.call('PEXPIRE', name, ttlMs) end
end

local function setRecord(key, record)
  local text = string.format(
    '%s %s %s %s %s',
    digits(record.version), record.op, record.mark, record.live and 'live' or 'deleted', digits(record.expiresAt)
  )
  redis.call('HSET', CONTROL, 'r:' .. key, text)
end

local function writeRecord(task, attachment, replaced, mark, ttlMs)
  local key, expiresAt = attachment.key, attachment.expiresAt
  setRecord(key, { version = attachment.version, op = attachment.op, mark = mark, live = true, expiresAt = expiresAt })
  if not (replaced and replaced.live) then countLive(task, 1) end
  if expiresAt > 0 and expiresAt < (task.earliestExpiry or math.huge) then
    task.earliestExpiry = expiresAt
    redis.call('HSET', CONTROL, 'x', digits(expiresAt))
  end
  writeHash(attachment, mark, ttlMs)
  enterIndex(key, attachment.createdAt)
end

-- Without a record, removes what may be left of it.
local function removeRecord(task, key, record)
  redis.call('HDEL', CONTROL, 'r:' .. key)
  redis.pcall('ZREM', INDEX, key)
  redis.call('UNLINK', HASHES .. key)
  if record and record.live then countLive(task, -1) end
end

-- Nil if the record can be the last write, otherwise the highest version that the last write may have had. A hash is
-- written and removed together with its record, so the hash of another write shows that the record is wrong. If a
-- cached record has no hash, nothing confirms its version.
local function doubtfulUpTo(key, record, version)
  if record.unreadable then return presentFloor() end
  if not record.live or hasBody(key, record) then return nil end
  if redis.pcall('HEXISTS', HASHES .. key, 'op') == 1 then return presentFloor() end
  return record.mark == 'cached' and record.version > version and record.version or nil
end

-- The record to compare a write of this version with. A record in doubt is forgotten: it must neither let an older
-- write pass for a newer one, nor block newer writes for ever.
local function reliableRecord(task, key, version)
  local record = findRecord(key)
  local doubtful = record and doubtfulUpTo(key, record, version)
  if not doubtful then return record end
  removeRecord(task, key, record)
  forget(task, doubtful)
end

-- Removes everything of a deleted task, except the number of its waiting journal entries and its organisation.
local function wipe(task, version)
  for key, record in pairs(allRecords()) do removeRecord(task, key, record) end
  redis.call('DEL', INDEX)
  redis.call('HDEL', CONTROL, 'x')
  redis.call('HSET', CONTROL, 'd', digits(version), 'm', '0')
  forget(task, version)
end

local function renewLifetimes(task, ttlMs)
  redis.call('PEXPIRE', INDEX, ttlMs)
  if task.undrained > 0 then
    redis.call('PERSIST', CONTROL)
  else
    redis.call('PEXPIRE', CONTROL, ttlMs)
  end
end

-- Appends to a list. A key of another type is replaced.
local function append(name, text)
  local kind = redis.call('TYPE', name).ok
  if kind ~= 'list' and kind ~= 'none' then redis.call('DEL', name) end
  redis.call('RPUSH', name, text)
end
