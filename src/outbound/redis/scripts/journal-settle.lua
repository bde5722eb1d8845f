-- What the database has answered to the oldest entry of the journal.
--
-- KEYS    as in task.lua, then the journal and the dead letters
-- ARGV    lifetime in ms, op and key of the entry, '1' where the database will never take it; of a put that stands there
--         also id, createdAt, createdBy, and createdAt in ms
-- Reply   none
-- Atomic, so that no entry is lost between the two lists, and n counts what the journal holds.

local ttlMs, op, key, refused = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4] == '1'
local id, createdAt, createdBy, createdAtMs = ARGV[5], ARGV[6], ARGV[7], ARGV[8]

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
if type(entry) ~= 'string' or string.sub(entry, 1, #op + 1) ~= op .. ' ' then return end
redis.call('LPOP', KEYS[4])
if refused then append(KEYS[5], entry) end

local task = loadTask()
if not task then return end
countUndrained(task, -1)
local record = findRecord(key)
if record and record.op == op then
  if refused then
    removeRecord(task, key, record)
    forget(task, record.version)
  else
    drain(record)
  end
end
renewLifetimes(task, ttlMs)
