-- Stores a write in the journal alone, because the database is unavailable.
--
-- KEYS    as in task.lua, then the journal
-- ARGV    lifetime in ms, the caller's organisation, nowMs, what the database will need, then 'put' and the attachment,
--         or 'deletion', key, version and op
-- Reply   { 'journaled', id, createdAt, createdBy }: the last three belong to the live attachment that was known under
--         the key, and are left out if there was none; { 'superseded', version that supersedes the write };
--         { 'task-missing' }; { 'unknown' }
-- Atomic, so that every record has its entry in the journal, and n counts every entry.
--
-- An entry begins with the op and the id of the attachment that was known under the key, '-' if there was none.

local ttlMs, organization, nowMs, text = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4]
local isPut = ARGV[5] == 'put'
local write = isPut and attachmentAt(6) or { key = ARGV[6], version = tonumber(ARGV[7]), op = ARGV[8] }

-- Milliseconds since the epoch; nil if the text does not have the format of a hash. The year counts from March, so that
-- a leap day comes last.
local function epochMs(isoTime)
  local parts = { string.match(isoTime, '^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)%.(%d%d%d)Z$') }
  if #parts == 0 then return nil end
  local year, month, day, hours, minutes, seconds, ms = unpack(parts)
  if tonumber(month) < 3 then year = year - 1 end
  local leapDays = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  local daysBeforeMonth = math.floor(((month + 9) % 12 * 306 + 5) / 10)
  local days = year * 365 + leapDays + daysBeforeMonth + day - 719469
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + ms
end

-- The identity under the names of its fields in the hash; nil if the hash is not usable.
local function identityOf(key, record)
  if not hasBody(key, record) then return nil end
  local id, createdAt, createdBy = unpack(redis.call('HMGET', HASHES .. key, 'id', 'createdAt', 'createdBy'))
  if not id or not string.find(id, '^%S+$') or not createdAt or not epochMs(createdAt) or not createdBy then return nil end
  return { id = id, createdAt = createdAt, createdBy = createdBy }
end

local function inherit(put, identity)
  for i = 1, #put.fields, 2 do put.fields[i + 1] = identity[put.fields[i]] or put.fields[i + 1] end
  put.createdAt = digits(epochMs(identity.createdAt))
end

local function writeDeletion(task, deletion, replaced)
  removeRecord(task, deletion.key, replaced)
  setRecord(deletion.key, {
    version = deletion.version,
    op = deletion.op,
    mark = 'journaled',
    live = false,
    expiresAt = 0,
  })
end

local task = loadTask()
-- A task of another organisation gives the reply of a missing one, deleted or not.
if not task or task.organization ~= organization then return { 'unknown' } end
if task.deletedVersion then return { 'task-missing' } end

-- A newer record is kept even without its hash: while the database is unavailable, no fill could restore it.
local record = reliableRecord(task, write.key, math.huge)
local standing = isKnown(record) and record.version or math.max(record and record.version or 0, task.floor)
if write.version <= standing then return { 'superseded', digits(standing) } end

local isLive = record and record.live and (record.expiresAt == 0 or record.expiresAt > nowMs)
if not isPut and not isLive then return { 'unknown' } end

local identity = isLive and identityOf(write.key, record)
if isPut then
  if identity then inherit(write, identity) end
  writeRecord(task, write, record, 'journaled', ttlMs)
else
  writeDeletion(task, write, record)
end
countUndrained(task, 1)
append(KEYS[4], write.op .. ' ' .. (identity and identity.id or '-') .. ' ' .. text)
renewLifetimes(task, ttlMs)
if not identity then return { 'journaled' } end
return { 'journaled', identity.id, identity.createdAt, identity.createdBy }
