-- One page of a task's attachments, by its index; where there is none, what the database may not know of yet.
--
-- KEYS    as in task.lua, then the cursor
-- ARGV    the caller's organisation, nowMs, and where a page is asked for: offset, limit, '1' for descending, '1' for
--         outlines, then changes that must be in it, each as key, version, '1' for a deletion
-- Reply   { floor, '1' where the task is deleted else '0', organisation or nil, cursor or 0, total, entries, journaled }
--         total    number of attachments, -1 where there is no page: it was not asked for, the index is not complete, or
--                  the task is another organisation's
--         entries  of the page, each { key, op, outline }. An outline is the hash without value and content, as fields
--                  and values, with `bytes`, their length; it is empty where it was not asked for or nothing usable is
--                  there
--         journaled  all journaled records, each { key, version, outline, or nil of a deletion }; left out where the
--                    database has not seen everything and a page was asked for
-- Atomic, so that index and records are those of one moment.

local OUTLINE = {
  'id', 'taskId', 'key', 'type', 'url', 'size', 'mimeType', 'createdBy', 'createdAt', 'updatedAt', 'expiresAt',
  'version', 'op',
}
local FIRST_KNOWN = 7
local organization, nowMs, offset, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local descending, withOutlines = ARGV[5] == '1', ARGV[6] == '1'
local task = openTask()

local function outlineOf(key)
  local name, outline = HASHES .. key, {}
  for i, value in ipairs(redis.call('HMGET', name, unpack(OUTLINE))) do
    if value then
      outline[#outline + 1] = OUTLINE[i]
      outline[#outline + 1] = value
    end
  end
  for _, body in ipairs({ 'value', 'content' }) do
    if redis.call('HEXISTS', name, body) == 1 then
      outline[#outline + 1] = 'bytes'
      outline[#outline + 1] = digits(redis.call('HSTRLEN', name, body))
    end
  end
  return outline
end

local function holds(key, version, isDeletion)
  local record = findRecord(key)
  if record and record.version >= version and (record.live or record.mark == 'journaled') then return true end
  return isDeletion and not (record and record.live)
end

local function isUsable()
  if not offset or isForeign(task, organization) or not task.complete then return false end
  if task.earliestExpiry and task.earliestExpiry <= nowMs then return false end
  for i = FIRST_KNOWN, #ARGV, 3 do
    if not holds(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2] == '1') then return false end
  end
  return redis.pcall('ZCARD', INDEX) == task.live
end

-- Nil where the index holds what was never entered: only one made anew can be trusted.
local function pageEntries()
  local entries = {}
  local range = descending and 'ZREVRANGE' or 'ZRANGE'
  for _, key in ipairs(redis.call(range, INDEX, offset, offset + limit - 1)) do
    local record = findRecord(key)
    if not record or not record.live then
      redis.call('DEL', INDEX)
      return nil
    end
    entries[#entries + 1] = { key, record.op, withOutlines and hasBody(key, record) and outlineOf(key) or {} }
  end
  return entries
end

local function journaledRecords()
  local journaled = {}
  for key, record in pairs(allRecords()) do
    if record.mark == 'journaled' and (not record.live or hasBody(key, record)) then
      journaled[#journaled + 1] = { key, digits(record.version), record.live and outlineOf(key) }
    end
  end
  return journaled
end

local entries = isUsable() and pageEntries()
local reply = aboutTask(task, KEYS[4])
reply[5] = entries and digits(task.live) or '-1'
reply[6] = entries or {}
if task.undrained == 0 or isForeign(task, organization) then
  reply[7] = {}
elseif not offset then
  reply[7] = journaledRecords()
end
return reply
