-- One page of a task's attachments, by its index.
--
-- KEYS    as in task.lua
-- ARGV    the caller's organisation, nowMs, offset, limit, '1' for descending, '1' for outlines
-- Reply   { floor, '1' where the task is deleted else '0', organisation or nil, total, { key, op, outline }, ... }
--         total is -1 where the index is not complete, or the task is another organisation's. An outline is the hash without value and content, as fields and
--         values, with `bytes`, their length; it is empty where it was not asked for or nothing usable is there.
-- Atomic, so that index and records are those of one moment.

local OUTLINE = {
  'id', 'taskId', 'key', 'type', 'url', 'size', 'mimeType', 'createdBy', 'createdAt', 'updatedAt', 'expiresAt',
  'version', 'op',
}
local nowMs, offset, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local descending, withOutlines = ARGV[5] == '1', ARGV[6] == '1'

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

local task = openTask()
local about = { digits(task.floor), task.deletedVersion and '1' or '0', task.organization, '-1' }
local expired = task.earliestExpiry and task.earliestExpiry <= nowMs
if isForeign(task, ARGV[1]) or not task.complete or expired or redis.pcall('ZCARD', INDEX) ~= task.live then return about end

local reply = { about[1], about[2], about[3], digits(task.live) }
local range = descending and 'ZREVRANGE' or 'ZRANGE'
for _, key in ipairs(redis.call(range, INDEX, offset, offset + limit - 1)) do
  local record = findRecord(key)
  if not record or not record.live then
    -- Not a key that was ever entered here: only an index made anew can be trusted.
    redis.call('DEL', INDEX)
    return about
  end
  local outline = withOutlines and hasBody(key, record) and outlineOf(key) or {}
  reply[#reply + 1] = { key, record.op, outline }
end
return reply
