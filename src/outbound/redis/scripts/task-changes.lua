-- What the scripts that change a task have in common: put before each of them, after task.lua. Those that only read do
-- without, for every run of a script makes its functions anew.

-- What a committed change is told that the record overtook: the database may not know of it yet.
local function newerJournaled(record, op)
  return record.mark ~= 'cached' and record.op ~= op and digits(record.version) or nil
end

local function countLive(task, change)
  task.live = task.live + change
  redis.call('HSET', CONTROL, 'm', digits(task.live))
end

local function countUndrained(task, change)
  task.undrained = math.max(task.undrained + change, 0)
  redis.call('HSET', CONTROL, 'n', digits(task.undrained))
end

-- Voids every token, and every put up to the version that is not here yet.
local function raiseFloor(task, version)
  task.floor = math.max(task.floor + 1, version)
  redis.call('HSET', CONTROL, 'f', digits(task.floor))
end

local function forget(task, version)
  redis.call('HSET', CONTROL, 'c', '0')
  raiseFloor(task, version)
end

-- An attachment as the caller passes it, beginning at ARGV[at]: key, version, op, expiresAt or 0, createdAt, the length
-- of the rest, fields and values of its hash. Also returns where the next one begins.
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

-- Without fields (a fill without bodies) the record stays without a hash. The hash of a journaled record is the only
-- copy there is, and has no lifetime.
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

-- Also what is left of one that is missing.
local function removeRecord(task, key, record)
  redis.call('HDEL', CONTROL, 'r:' .. key)
  redis.pcall('ZREM', INDEX, key)
  redis.call('UNLINK', HASHES .. key)
  if record and record.live then countLive(task, -1) end
end

-- Nil where the record can be what was written last, otherwise the highest version that may have been. A hash comes and
-- goes with its record: that of another write belies it. What is cached without a hash may have any version.
local function doubtfulUpTo(key, record, version)
  if record.unreadable then return presentFloor() end
  if not record.live or hasBody(key, record) then return nil end
  if redis.pcall('HEXISTS', HASHES .. key, 'op') == 1 then return presentFloor() end
  return record.mark == 'cached' and record.version > version and record.version or nil
end

-- The record that a write of this version meets. One that is in doubt is forgotten: older writes must not pass for
-- newer ones, nor be held up for ever.
local function reliableRecord(task, key, version)
  local record = findRecord(key)
  local doubtful = record and doubtfulUpTo(key, record, version)
  if not doubtful then return record end
  removeRecord(task, key, record)
  forget(task, doubtful)
end

-- Nothing of a deleted task is left; how many of its entries wait in the journal, and whose it was, is.
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

-- Adds to the end of a list that may not be one.
local function append(name, text)
  local kind = redis.call('TYPE', name).ok
  if kind ~= 'list' and kind ~= 'none' then redis.call('DEL', name) end
  redis.call('RPUSH', name, text)
end
