-- What is known of a task and of some of its attachments.
--
-- KEYS    as in task.lua, then the cursor
-- ARGV    the caller's organisation, keys of attachments
-- Reply   { floor, '1' if the task is deleted else '0', organisation or nil, cursor or 0, record, ... }: one record
--         for each key, { hash, '1' if it is journaled else '0', version of a journaled deletion }. A hash is fields
--         and values; it is empty if no usable hash exists or the task belongs to another organisation.
-- Atomic, so that the floor and the records belong to the same moment, and so that two first readers
-- get the same floor.

local task = openTask()

local function reveal(key)
  local record = not isForeign(task, ARGV[1]) and findRecord(key)
  local journaled = record and record.mark == 'journaled'
  if record and record.live and hasBody(key, record) then
    return { redis.call('HGETALL', HASHES .. key), journaled and '1' or '0' }
  end
  if journaled and not record.live then return { {}, '1', digits(record.version) } end
  return { {}, '0' }
end

local reply = aboutTask(task, KEYS[4])
for i = 2, #ARGV do reply[#reply + 1] = reveal(ARGV[i]) end
return reply
