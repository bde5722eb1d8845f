-- What the scripts on one task's cached attachments have in common: this file is put before each of them.
--
-- KEYS[1] control: a hash, what is known of the task. Its fields:
--           f        floor: a put at or below it may be older than what was forgotten; also the token of fills
--           m        number of live records
--           c        '1' where every live attachment of the task has a record
--           o        organisation; there where the task is known to exist
--           d        version of the task's deletion
--           x        earliest expiresAt of the live records, in ms
--           n        number of journaled records that the database has not seen; above 0, nothing journaled may expire
--           r:<key>  record: '<version> <op> <mark> <state> <expiresAt>'; mark is cached, journaled or drained, state
--                    is live or deleted, expiresAt is in ms, 0 for never
-- KEYS[2] index: a sorted set of the keys of the live records, with createdAt in ms for a score
-- KEYS[3] what the names of the attachment hashes begin with; the key of the attachment completes one. Their names are
--         made here, from what the control holds: all keys of a task share one cluster slot.
--
-- Any of these may be missing, evicted or of a wrong type: that is "not known", never an error.

local CONTROL, INDEX, HASHES = KEYS[1], KEYS[2], KEYS[3]
-- Versions count from 2025-01-01T00:00:00Z, 4096 to the millisecond.
local EPOCH_MS, VERSIONS_PER_MS = 1735689600000, 4096
-- At least the difference between any two clocks of replicas and Redis.
local SKEW_MS = 100
local UNFILLED_TTL_MS = 60000

-- Lua's own conversion turns large numbers into 3.7e+14.
local function digits(number)
  return string.format('%.0f', number)
end

local function clockMs()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function loadTask()
  local fields = redis.pcall('HMGET', CONTROL, 'f', 'm', 'n', 'd', 'x', 'c', 'o')
  local floor, live = tonumber(fields[1]), tonumber(fields[2])
  if not floor or not live then return nil end
  return {
    floor = floor,
    live = live,
    undrained = tonumber(fields[3]) or 0,
    deletedVersion = tonumber(fields[4]),
    earliestExpiry = tonumber(fields[5]),
    complete = fields[6] == '1',
    organization = fields[7],
  }
end

local function isForeign(task, organization)
  return task.organization and task.organization ~= organization
end

-- The task, made anew where nothing usable is known of it. The floor then is above every version that may have been
-- committed and forgotten; an index that outlived its control may hold keys that have gone since.
local function openTask()
  local task = loadTask()
  if task then return task end
  local floor = (clockMs() - EPOCH_MS + SKEW_MS) * VERSIONS_PER_MS
  redis.call('DEL', CONTROL, INDEX)
  redis.call('HSET', CONTROL, 'f', digits(floor), 'm', '0', 'c', '0')
  redis.call('PEXPIRE', CONTROL, UNFILLED_TTL_MS)
  return { floor = floor, live = 0, undrained = 0, complete = false, organization = false }
end

local function parseRecord(text)
  local version, op, mark, state, expiresAt = string.match(text, '^(%d+) (%S+) (%a+) (%a+) (%d+)$')
  -- Anything replaces what cannot be read, and the next complete fill drops it as long expired.
  if not version then return { version = 0, op = '', mark = 'cached', live = true, expiresAt = 1 } end
  return {
    version = tonumber(version),
    op = op,
    mark = mark,
    live = state == 'live',
    expiresAt = tonumber(expiresAt),
  }
end

local function findRecord(key)
  local text = redis.call('HGET', CONTROL, 'r:' .. key)
  return text and parseRecord(text)
end

-- All records by their keys.
local function allRecords()
  local records = {}
  local fields = redis.call('HGETALL', CONTROL)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'r:' then records[string.sub(fields[i], 3)] = parseRecord(fields[i + 1]) end
  end
  return records
end

-- Whether the hash belongs to the record: it may have been evicted, or be a leftover.
local function hasBody(key, record)
  return redis.pcall('HGET', HASHES .. key, 'op') == record.op
end

local function countLive(task, change)
  task.live = task.live + change
  redis.call('HSET', CONTROL, 'm', digits(task.live))
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

local function enterIndex(attachment)
  local added = redis.pcall('ZADD', INDEX, attachment.createdAt, attachment.key)
  if type(added) == 'table' then
    redis.call('DEL', INDEX)
    redis.call('ZADD', INDEX, attachment.createdAt, attachment.key)
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

local function writeRecord(task, attachment, replaced, ttlMs)
  local text = string.format(
    '%s %s cached live %s',
    digits(attachment.version), attachment.op, digits(attachment.expiresAt)
  )
  redis.call('HSET', CONTROL, 'r:' .. attachment.key, text)
  if not (replaced and replaced.live) then countLive(task, 1) end
  if attachment.expiresAt > 0 and attachment.expiresAt < (task.earliestExpiry or math.huge) then
    task.earliestExpiry = attachment.expiresAt
    redis.call('HSET', CONTROL, 'x', digits(attachment.expiresAt))
  end
  writeHash(attachment, 'cached', ttlMs)
  enterIndex(attachment)
end

local function removeRecord(task, key, record)
  redis.call('HDEL', CONTROL, 'r:' .. key)
  redis.pcall('ZREM', INDEX, key)
  redis.call('UNLINK', HASHES .. key)
  if record.live then countLive(task, -1) end
end

local function renewLifetimes(task, ttlMs)
  redis.call('PEXPIRE', INDEX, ttlMs)
  if task.undrained > 0 then
    redis.call('PERSIST', CONTROL)
  else
    redis.call('PEXPIRE', CONTROL, ttlMs)
  end
end
