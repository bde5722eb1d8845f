-- Projects changes into one part of the cache, from one position of the outbox to another.
--
-- KEYS    the cursor, then those of task.lua for each task
-- ARGV    the position that the cursor must have, '' for none; the new position, '' if another call with more changes
--         follows; then the changes in their order, each as number of the task, version, key, op, '1' for a deletion; a
--         deletion of the task has the key ''
-- Reply   none
-- Atomic, so that no change is lost because another replica moves the cursor meanwhile.
--
-- Only ever forgets, and extends no lifetime. Marks that a replica of the present epoch has projected.

local CURSOR, from, to = KEYS[1], ARGV[1], ARGV[2]

local function projectChange(task, version, key, op, isDeletion)
  local record = reliableRecord(task, key, version)
  if record and (record.version > version or (record.version == version and record.op == op)) then return end
  removeRecord(task, key, record)
  if record or not isDeletion then
    forget(task, version)
  else
    -- A deletion of an absent key leaves the list complete. But a fill in progress may bring the old attachment.
    raiseFloor(task, version)
  end
end

if integerOf(redis.pcall('GET', CURSOR)) ~= integerOf(from) then return end
for at = 3, #ARGV, 5 do
  local version, key = tonumber(ARGV[at + 1]), ARGV[at + 2]
  selectTask(3 * ARGV[at] - 1)
  local task = loadTask()
  if task and not task.deletedVersion then
    if key == '' then
      wipe(task, version)
    else
      projectChange(task, version, key, ARGV[at + 3], ARGV[at + 4] == '1')
    end
  end
end
if to ~= '' then
  redis.call('SET', CURSOR, to)
  if EPOCH ~= '' then redis.call('HSET', OWNER, 'mark', digits(clockMs())) end
end
