-- One page of a task's attachments, by its index; if there is none, the writes that the database may not know yet.
--
-- KEYS    as in task.lua, then the cursor
-- ARGV    the caller's organisation, nowMs, how many bytes the reply may have of values and contents, or of journaled
--         records, and if a page is requested: offset, limit, '1' for descending, '1' for outlines, then changes that the
--         page must include, each as key, version, '1' for a deletion
-- Reply   { floor, '1' if the task is deleted else '0', organisation or nil, cursor or 0, total, entries, bytes, journaled }
--         total    number of attachments, -1 if there is no page: it was not requested, the index is not complete, or
--                  the task belongs to another organisation
--         entries  of the page, each the attachment, packed, or an outline of it; only key and op, packed, if no usable
--                  hash exists, or, without outlines, if all have more bytes than the reply may have
--         bytes    of all values and contents of the page, 0 with outlines
--         journaled  all journaled records, each { key, version, outline, packed, or nil for a deletion }; left out if the
--                    database has not seen everything and a page was requested. If they have more bytes than they may
--                    have, their number
-- Atomic, so that the index and the records belong to the same moment.

-- What a record needs in the memory of a replica, roughly, beside its url: OUTLINE_BYTES of the core.
local RECORD_BYTES = 1024
local FIRST_KNOWN = 8
local organization, nowMs, maxBytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local offset, limit, descending, withOutlines = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1', ARGV[7] == '1'
local task = openTask()

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

-- The records of some keys; false for a key that has none.
local function findRecords(keys)
  local names = {}
  for i, key in ipairs(keys) do names[i] = 'r:' .. key end
  local records = redis.call('HMGET', CONTROL, unpack(names))
  for i = 1, #keys do records[i] = records[i] and parseRecord(records[i]) end
  return records
end

-- Nil if the index holds a foreign key: only a new index can be trusted.
local function pageKeys()
  local range = descending and 'ZREVRANGE' or 'ZRANGE'
  local keys = redis.call(range, INDEX, offset, offset + limit - 1)
  local records = #keys > 0 and findRecords(keys) or {}
  for i = 1, #keys do
    if not records[i] or not records[i].live then
      redis.call('DEL', INDEX)
      return nil
    end
  end
  return keys, records
end

local function pageEntries()
  local keys, records = pageKeys()
  if not keys then return nil end
  local bytes, entries = 0, {}
  if not withOutlines then
    for _, key in ipairs(keys) do bytes = bytes + bytesOf(key) end
  end
  for i, key in ipairs(keys) do
    local record, packed = records[i], nil
    if withOutlines then
      packed = packedOutline(key, record)
    elseif bytes <= maxBytes then
      packed = packedHash(key, key, record)
    end
    entries[i] = packed or key .. '\0' .. record.op
  end
  return entries, bytes
end

local function journaledRecords()
  local journaled, bytes = {}, 0
  for key, record in pairs(allRecords()) do
    if record.mark == 'journaled' and (not record.live or hasBody(key, record)) then
      bytes = bytes + RECORD_BYTES + (record.live and redis.call('HSTRLEN', HASHES .. key, 'url') or 0)
      local outline = record.live and (bytes <= maxBytes and packedOutline(key, record) or '')
      journaled[#journaled + 1] = { key, digits(record.version), outline }
    end
  end
  return bytes <= maxBytes and journaled or digits(bytes)
end

local entries, bytes
if isUsable() then entries, bytes = pageEntries() end
local reply = aboutTask(task, cursorOf(KEYS[4]))
reply[5] = entries and digits(task.live) or '-1'
reply[6] = entries or {}
reply[7] = bytes or 0
if task.undrained == 0 or isForeign(task, organization) then
  reply[8] = {}
elseif not offset then
  reply[8] = journaledRecords()
end
return reply
