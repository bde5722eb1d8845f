-- Settles the oldest entries of a journal with the answers of the database.
--
-- KEYS    for each entry those of task.lua, then the journal and the dead letters
-- ARGV    lifetime in ms, then for each entry seven arguments: its op, its key, its outcome ('applied', 'superseded',
--         'refused': the database will never accept it, or 'postponed': it cannot accept it for now); for a put that was
--         applied id, createdAt, createdBy, and createdAt in ms; for a refused entry the reason. What is left is empty
-- Reply   how many entries were settled: up to the first that is not at the head
-- Atomic, so that no entry is lost while it is moved, and n counts the entries of the journal.

local JOURNAL, DEAD_LETTERS = KEYS[#KEYS - 1], KEYS[#KEYS]
local ARGUMENTS_PER_ENTRY = 7
local ttlMs = tonumber(ARGV[1])

local function drain(record, key, at)
  record.mark = 'drained'
  setRecord(key, record)
  if not record.live then return end
  local id, createdAt, createdBy, createdAtMs = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  if id ~= '' and hasBody(key, record) then
    redis.call('HSET', HASHES .. key, 'id', id, 'createdAt', createdAt, 'createdBy', createdBy)
    enterIndex(key, createdAtMs)
  end
  redis.call('PEXPIRE', HASHES .. key, ttlMs)
end

-- False if another entry is at the head.
local function settle(at)
  local op, key, outcome = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local entry = redis.pcall('LINDEX', JOURNAL, 0)
  if type(entry) ~= 'string' or string.sub(entry, 1, #op + 1) ~= op .. ' ' then return false end
  redis.call('LPOP', JOURNAL)

  local task = loadTask()
  local record = task and findRecord(key)
  local isNewest = record and record.op == op
  local overtaken = task and redis.call('HGET', CONTROL, 'w:' .. key)
  -- Without the record of a refused write, an older one that waits would be unknown: it stays until that one is drained.
  if outcome == 'postponed' or (outcome == 'refused' and isNewest and overtaken) then
    append(JOURNAL, entry)
    if record and not isNewest then redis.call('HSET', CONTROL, 'w:' .. key, op) end
    return true
  end

  if outcome == 'refused' then append(DEAD_LETTERS, ARGV[at + 3] .. ' ' .. entry) end
  if not task then return true end
  countUndrained(task, -1)
  if overtaken == op then redis.call('HDEL', CONTROL, 'w:' .. key) end
  -- Nothing will be projected of what has superseded a write of an earlier epoch.
  local isOutdated = outcome == 'refused' or (outcome == 'superseded' and task.carried)
  if isNewest and isOutdated then
    removeRecord(task, key, record)
    forget(task, record.version)
  elseif isNewest then
    drain(record, key, at)
  end
  renewLifetimes(task, ttlMs)
  return true
end

local settled = 0
for at = 2, #ARGV, ARGUMENTS_PER_ENTRY do
  selectTask(3 * settled + 1)
  if not settle(at) then break end
  settled = settled + 1
end
return settled
