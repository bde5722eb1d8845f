-- What is known of a task and of some of its attachments.
--
-- KEYS    as in task.lua, then the cursor
-- ARGV    the caller's organisation, how many bytes of values and contents the reply may have, keys of attachments
-- Reply   { floor, '1' if the task is deleted else '0', organisation or nil, cursor or 0, record, ... }: one record
--         for each key, { hash, '1' if it is journaled else '0', version of a journaled deletion }. A hash is fields
--         and values; it is empty if no usable hash exists or the task belongs to another organisation. If there are
--         more bytes than the reply may have, their number takes the place of the records.
-- Atomic, so that the floor and the records belong to the same moment, and so that two first readers
-- get the same floor.

local maxBytes = tonumber(ARGV[2])
local task = openTask()

local function bytesOf(key)
  return redis.call('HSTRLEN', HASHES .. key, 'value') + redis.call('HSTRLEN', HASHES .. key, 'content')
end

local total = 0
local function reveal(key)
  local record = not isForeign(task, ARGV[1]) and findRecord(key)
  local journaled = record and record.mark == 'journaled'
  if record and record.live and hasBody(key, record) then
    total = total + bytesOf(key)
    local hash = total <= maxBytes and redis.call('HGETALL', HASHES .. key) or {}
    return { hash, journaled and '1' or '0' }
  end
  if journaled and not record.live then return { {}, '1', digits(record.version) } end
  return { {}, '0' }
end

local reply = aboutTask(task, KEYS[4])
local records = {}
for i = 3, #ARGV do records[i - 2] = reveal(ARGV[i]) end
if total > (maxBytes or 0) then
  reply[5] = digits(total)
else
  for i, record in ipairs(records) do reply[4 + i] = record end
end
return reply
