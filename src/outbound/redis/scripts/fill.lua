-- Stores live attachments from the database, whose read began after the token was given.
--
-- KEYS    as in task.lua
-- ARGV    lifetime in ms, token, organisation, 'whole' if these attachments complete the task, 'new' if they do and no
--         task ever had this id before the token was given, else 'part', then the attachments
-- Reply   none
-- Atomic, so that nothing changes between the check of the token and the last attachment.

local ttlMs, token, organization, extent = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]

local function isRecordOf(attachment, record)
  return record.live and record.op == attachment.op and record.expiresAt == attachment.expiresAt
end

local function fillIn(task, attachment)
  local record = findRecord(attachment.key)
  if not record or attachment.version > record.version then
    writeRecord(task, attachment, record, 'cached', ttlMs)
  elseif attachment.version < record.version then
    reliableRecord(task, attachment.key, attachment.version)
  elseif isRecordOf(attachment, record) then
    -- The body and the index entry may have been lost since the record was written.
    if #attachment.fields > 0 then writeHash(attachment, record.mark, ttlMs) end
    enterIndex(attachment.key, attachment.createdAt)
  elseif record.mark ~= 'journaled' or task.undrained == 0 then
    -- The database has only one write of each version, and this is the one.
    writeRecord(task, attachment, record, record.mark == 'drained' and 'drained' or 'cached', ttlMs)
  end
end

-- Called if the index holds a foreign key, or lacks the key of a live record. The index is deleted, and the next
-- complete fill enters every attachment.
local function makeIndexAnew(task)
  local newest
  for key, record in pairs(allRecords()) do
    local isEntered = type(redis.pcall('ZSCORE', INDEX, key)) == 'string'
    if record.live and record.mark ~= 'journaled' and not isEntered then
      removeRecord(task, key, record)
      newest = math.max(newest or 0, record.version)
    end
  end
  if newest then forget(task, newest) end
  redis.call('DEL', INDEX)
end

-- An expired attachment is not part of the fill and must no longer count; within SKEW it may still be part of it. All
-- live records are counted again, so that no loss outlives a complete fill. But if a record had to be forgotten, it may
-- have been newer than the fill, and the task is not complete.
local function complete(task)
  local live, earliestExpiry, longExpired, newestExpired = 0, math.huge, clockMs() - SKEW_MS, nil
  for key, record in pairs(allRecords()) do
    if record.unreadable then
      reliableRecord(task, key, 0)
    elseif record.mark == 'cached' and record.expiresAt > 0 and record.expiresAt <= longExpired then
      removeRecord(task, key, record)
      newestExpired = math.max(newestExpired or 0, record.version)
    elseif record.live then
      live = live + 1
      if record.expiresAt > 0 then earliestExpiry = math.min(earliestExpiry, record.expiresAt) end
    end
  end
  local isWhole = task.floor == token
  if newestExpired then raiseFloor(task, newestExpired) end
  if not isWhole then return end
  task.live = live
  redis.call('HSET', CONTROL, 'c', '1', 'm', digits(live))
  redis.call('HDEL', CONTROL, 'x')
  if earliestExpiry < math.huge then redis.call('HSET', CONTROL, 'x', digits(earliestExpiry)) end
  if redis.pcall('ZCARD', INDEX) ~= live then makeIndexAnew(task) end
end

local task = loadTask()
if not task or task.deletedVersion or task.floor ~= token then return end
-- A task that is known was there before.
local isNew = extent == 'new' and not task.organization
redis.call('HSET', CONTROL, 'o', organization)
local at = 5
while at <= #ARGV do
  local attachment
  attachment, at = attachmentAt(at)
  fillIn(task, attachment)
end
if extent ~= 'part' then complete(task) end
if isNew and task.floor == token then lowerFloor(task) end
renewLifetimes(task, ttlMs)
