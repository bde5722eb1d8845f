-- Settles the oldest entry of the journal with the answer of the database.
--
-- KEYS    as in task.lua, then the journal and the dead letters
-- ARGV    lifetime in ms, op and key of the entry, its outcome: 'applied', 'superseded', 'refused' (the database will
--         never accept it) or 'postponed' (it cannot accept it for now); for a put that was applied also id, createdAt,
--         createdBy, and createdAt in ms
-- Reply   1; 0 if another entry is at the head
-- Atomic, so that no entry is lost while it is moved, and n counts the entries of the journal.

local ttlMs, op, key, outcome = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local id, createdAt, createdBy, createdAtMs = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local OVERTAKEN = 'w:' .. key

local function drain(record)
  record.mark = 'drained'
  setRecord(key, record)
  if not record.live then return end
  if id and hasBody(key, record) then
    redis.call('HSET', HASHES .. key, 'id', id, 'createdAt', createdAt, 'createdBy', createdBy)
    enterIndex(key, createdAtMs)
  end
  redis.call('PEXPIRE', HASHES .. key, ttlMs)
end

local entry = redis.pcall('LINDEX', KEYS[4], 0)
if type(entry) ~= 'string' or string.sub(entry, 1, #op + 1) ~= op .. ' ' then return 0 end
redis.call('LPOP', KEYS[4])

local task = loadTask()
local record = task and findRecord(key)
local isNewest = record and record.op == op
local overtaken = task and redis.call('HGET', CONTROL, OVERTAKEN)
-- Without the record of a refused write, an older one that waits would be unknown: it stays until that one is drained.
if outcome == 'postponed' or (outcome == 'refused' and isNewest and overtaken) then
  append(KEYS[4], entry)
  if record and not isNewest then redis.call('HSET', CONTROL, OVERTAKEN, op) end
  return 1
end

if outcome == 'refused' then append(KEYS[5], entry) end
if not task then return 1 end
countUndrained(task, -1)
if overtaken == op then redis.call('HDEL', CONTROL, OVERTAKEN) end
-- Nothing will be projected of what has superseded a write of an earlier epoch.
local isOutdated = outcome == 'refused' or (outcome == 'superseded' and task.carried)
if isNewest and isOutdated then
  removeRecord(task, key, record)
  forget(task, record.version)
elseif isNewest then
  drain(record)
end
renewLifetimes(task, ttlMs)
return 1
