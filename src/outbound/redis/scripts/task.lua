-- What is known of a task, and the functions that read it: this file is put before each script on cached attachments.
--
-- Before all KEYS and ARGV that are listed here and in the scripts comes one more, which is taken away first: the owner
-- (see enter.lua), and the epoch of the caller. If the owner is in another epoch, the reply is an error, and nothing
-- is done.
--
-- KEYS[1] control: a hash, what is known of the task. Its fields:
--           e        epoch in which all of it was learned; of another one, only what is journaled counts
--           f        floor: a put at or below it may be older than what was forgotten; also the token of fills
--           m        number of live records
--           c        '1' if every live attachment of the task has a record
--           o        organisation; present if the task is known to exist
--           d        version of the task's deletion
--           x        earliest expiresAt of the live records, in ms
--           t        the token that was given out before the floor was lowered; the floor never has this value again
--           n        number of the task's entries in the journal; above 0, nothing journaled may expire
--           u        '1' if some of these are of an earlier epoch: the database may have something newer that is never
--                    projected, so nothing of the task is believed until they are drained
--           r:<key>  record: '<version> <op> <mark> <state> <expiresAt>'; mark is cached, journaled or drained, state
--                    is live or deleted, expiresAt is in ms, 0 for never
--           w:<key>  op of the last entry under the key that was postponed and waits behind newer ones
-- KEYS[2] index: a sorted set of the keys of the live records, with createdAt in ms as the score
-- KEYS[3] prefix of the names of the attachment hashes, which is followed by the key of the attachment. The scripts
--         build these names from the control: all keys of a task share one cluster slot.
--
-- Any of these may be missing, evicted or of a wrong type: then it is "not known", never an error.
--
-- A record is journaled until the database has seen it, and drained from then on, because a write that is still in
-- progress must learn of it. A drained deletion counts as no record, except that later writes are compared with its
-- version.

local OWNER, EPOCH = table.remove(KEYS, 1), table.remove(ARGV, 1)
do
  local present = redis.pcall('HGET', OWNER, 'epoch')
  if (type(present) == 'string' and present or '') ~= EPOCH then
    return redis.error_reply('EPOCH the cache is in another epoch')
  end
end

local CONTROL, INDEX, HASHES
-- Versions count from 2025-01-01T00:00:00Z, 4096 to the millisecond.
local EPOCH_MS, VERSIONS_PER_MS = 1735689600000, 4096
-- At least the difference between any two clocks of the replicas and Redis.
local SKEW_MS = 100
local UNFILLED_TTL_MS = 60000
-- 2^53 - 1: larger numbers lose their last digits.
local MAX_EXACT = 9007199254740991
-- The version of 2094-01-01: a higher one was never minted, and would leave no room for the next.
local MAX_VERSION = 8918846668800000

-- For scripts on many tasks: selects the task whose three keys begin at KEYS[at].
local function selectTask(at)
  CONTROL, INDEX, HASHES = KEYS[at], KEYS[at + 1], KEYS[at + 2]
end
selectTask(1)

-- Lua's own conversion would write a large number as 3.7e+14.
local function digits(number)
  return string.format('%.0f', number)
end

-- Nil unless the text consists of the digits of an exact number.
local function integerOf(text)
  if type(text) ~= 'string' or not string.find(text, '^%d+$') then return nil end
  local number = tonumber(text)
  return number <= MAX_EXACT and number or nil
end

local function versionOf(text)
  local version = integerOf(text)
  return version and version <= MAX_VERSION and version or nil
end

local function clockMs()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Above every version that may have been committed and forgotten.
local function presentFloor()
  return (clockMs() - EPOCH_MS + SKEW_MS) * VERSIONS_PER_MS
end

-- It has no hash, so the attachment is not known, and it is older than anything in the database.
local function unreadableRecord()
  return { unreadable = true, version = 0, versionText = '0', op = '', mark = 'cached', live = true, expiresAt = 0 }
end

local function parseRecord(text)
  local versionText, op, mark, state, expiresAtText = string.match(text, '^(%d+) (%S+) (%a+) (%a+) (%d+)$')
  if not versionText then return unreadableRecord() end
  local version, expiresAt = tonumber(versionText), tonumber(expiresAtText)
  local live = state == 'live'
  local isMarked = mark == 'journaled' or mark == 'drained' or (mark == 'cached' and live)
  if not isMarked or not (live or state == 'deleted') then return unreadableRecord() end
  if version > MAX_VERSION or expiresAt > MAX_EXACT then return unreadableRecord() end
  return { version = version, versionText = versionText, op = op, mark = mark, live = live, expiresAt = expiresAt }
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

-- The database may have lost what was learned in another epoch. What is journaled it will get again.
local function keepJournaled()
  redis.call('DEL', INDEX)
  if (integerOf(redis.call('HGET', CONTROL, 'n')) or 0) == 0 then return redis.call('DEL', CONTROL) end
  local live = 0
  for key, record in pairs(allRecords()) do
    if record.mark ~= 'journaled' then
      redis.call('HDEL', CONTROL, 'r:' .. key)
      redis.call('UNLINK', HASHES .. key)
    elseif record.live then
      live = live + 1
    end
  end
  redis.call('HDEL', CONTROL, 'o', 'd', 'x', 't')
  redis.call('HSET', CONTROL, 'e', EPOCH, 'f', digits(presentFloor()), 'm', digits(live), 'c', '0', 'u', '1')
end

-- Reads fields of the control besides, if names of some are given: their values follow the task, after FIELDS others.
local FIELDS = 10
local function loadTask(names)
  local function read()
    return redis.pcall('HMGET', CONTROL, 'f', 'm', 'n', 'd', 'x', 'c', 'o', 'u', 'e', 't', unpack(names or {}))
  end
  local fields = read()
  if fields[1] and (fields[9] or '') ~= EPOCH then
    keepJournaled()
    fields = read()
  end
  local floor, live, deletedVersion = versionOf(fields[1]), integerOf(fields[2]), versionOf(fields[4])
  if not floor or not live then return nil end
  return {
    floor = floor,
    live = live,
    undrained = integerOf(fields[3]) or 0,
    -- A deletion raises the floor.
    deletedVersion = deletedVersion and deletedVersion <= floor and deletedVersion or nil,
    -- An expiry that cannot be read may have passed.
    earliestExpiry = fields[5] and (integerOf(fields[5]) or 0),
    complete = fields[6] == '1',
    organization = fields[7],
    carried = fields[8] == '1',
    spentToken = integerOf(fields[10]),
  }, fields
end

local function isForeign(task, organization)
  return task.organization and task.organization ~= organization
end

-- The task, created if nothing usable is known of it. An index that outlived its control may hold keys that have been
-- deleted since.
local function openTask(names)
  local task, fields = loadTask(names)
  if task then return task, fields end
  local floor = presentFloor()
  redis.call('DEL', CONTROL, INDEX)
  redis.call('HSET', CONTROL, 'e', EPOCH, 'f', digits(floor), 'm', '0', 'c', '0')
  redis.call('PEXPIRE', CONTROL, UNFILLED_TTL_MS)
  return { floor = floor, live = 0, undrained = 0, complete = false, organization = false, carried = false }, {}
end

local function cursorOf(name)
  return integerOf(redis.pcall('GET', name)) or 0
end

-- The beginning of the reply to a read.
local function aboutTask(task, cursor)
  local known = task.carried and 0 or cursor
  return { digits(task.floor), task.deletedVersion and '1' or '0', task.organization, digits(known) }
end

local function findRecord(key)
  local text = redis.call('HGET', CONTROL, 'r:' .. key)
  return text and parseRecord(text)
end

-- Whether the hash belongs to the record: it may have been evicted, or belong to an earlier record.
local function hasBody(key, record)
  local found = redis.pcall('HMGET', HASHES .. key, 'op', 'version')
  return found[1] == record.op and found[2] == record.versionText
end
