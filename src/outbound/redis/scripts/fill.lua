-- Live attachments that the database answered to a read which began after the token was given.
--
-- KEYS    as in task.lua
-- ARGV    lifetime in ms, token, organisation, '1' where these complete the task, then the attachments
-- Reply   none
-- Atomic, so that nothing can change between the check of the token and the last attachment.

local ttlMs, token, organization, completes = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'

local function fillIn(task, attachment)
  local record = findRecord(attachment.key)
  if not record or attachment.version > record.version then
    writeRecord(task, attachment, record, 'cached', ttlMs)
  elseif record.live and attachment.version == record.version and attachment.op == record.op then
    -- Body and index entry may have been lost since the record was made.
    if #attachment.fields > 0 then writeHash(attachment, record.mark, ttlMs) end
    enterIndex(attachment.key, attachment.createdAt)
  end
end

-- What has expired was not among the attachments and must not count any more; within SKEW it may have been. All is
-- counted anew, so that no loss outlives a complete fill.
local function complete(task)
  local live, earliestExpiry, longExpired, newestExpired = 0, math.huge, clockMs() - SKEW_MS, nil
  for key, record in pairs(allRecords()) do
    if record.mark == 'cached' and record.expiresAt > 0 and record.expiresAt <= longExpired then
      removeRecord(task, key, record)
      newestExpired = math.max(newestExpired or 0, record.version)
    elseif record.live then
      live = live + 1
      if record.expiresAt > 0 then earliestExpiry = math.min(earliestExpiry, record.expiresAt) end
    end
  end
  if newestExpired then raiseFloor(task, newestExpired) end
  redis.call('HSET', CONTROL, 'c', '1', 'm', digits(live))
  redis.call('HDEL', CONTROL, 'x')
  if earliestExpiry < math.huge then redis.call('HSET', CONTROL, 'x', digits(earliestExpiry)) end
  -- A key that should not be there: only an index made anew can be trusted.
  if redis.pcall('ZCARD', INDEX) ~= live then redis.call('DEL', INDEX) end
end

local task = loadTask()
if not task or task.deletedVersion or task.floor ~= token then return end
redis.call('HSET', CONTROL, 'o', organization)
local at = 5
while at <= #ARGV do
  local attachment
  attachment, at = attachmentAt(at)
  fillIn(task, attachment)
end
if completes then complete(task) end
renewLifetimes(task, ttlMs)
