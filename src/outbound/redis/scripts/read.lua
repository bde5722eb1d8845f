-- What is known of some tasks of one part of the cache, and of some of the attachments of each.
--
-- KEYS    for each task the three of task.lua, then the cursor
-- ARGV    for each task the caller's organisation, how many bytes of values and contents its records may have, how
--         many keys of attachments follow, and these keys
-- Reply   strings. For each task { floor, '1' if the task is deleted else '0', cursor or 0, bytes, organisation if it
--         is known }, joined with U+0000. Unless these are more bytes than its records may have, they follow, one for
--         each key: the attachment, packed, with '=' in place of the key, or '+' if it is journaled; or '-' and the
--         version of a journaled deletion; or '' if no usable hash exists or the task belongs to another organisation.
-- Atomic, so that the floor and the records belong to the same moment, and so that two first readers
-- get the same floor.

-- Appends the records of the selected task, and returns their bytes. Beyond `maxBytes` they are only counted.
local function appendRecords(reply, keys, texts, maxBytes)
  local bytes = 0
  for i, key in ipairs(keys) do
    local text, packed = texts[FIELDS + i], nil
    local record = text and parseRecord(text)
    local journaled = record and record.mark == 'journaled'
    if record and record.live then
      local size = bytesOf(key)
      packed = bytes + size <= maxBytes and packedHash(journaled and '+' or '=', key, record)
      if packed ~= nil then bytes = bytes + size end
    elseif journaled then
      packed = '-' .. digits(record.version)
    end
    reply[#reply + 1] = packed or ''
  end
  return bytes
end

local function appendNothing(reply, keys)
  for _ = 1, #keys do reply[#reply + 1] = '' end
  return 0
end

local reply, at, cursor = {}, 1, cursorOf(KEYS[#KEYS])
for first = 1, #KEYS - 1, 3 do
  selectTask(first)
  local organization, maxBytes, count = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local keys, names = {}, {}
  for i = 1, count do
    keys[i] = ARGV[at + 2 + i]
    names[i] = 'r:' .. keys[i]
  end
  at = at + 3 + count

  local task, fields = openTask(names)
  local head = #reply + 1
  reply[head] = ''
  local append = isForeign(task, organization) and appendNothing or appendRecords
  local bytes = append(reply, keys, fields, maxBytes)
  if bytes > maxBytes then
    for i = #reply, head + 1, -1 do reply[i] = nil end
  end
  local floor, deleted, owner, known = unpack(aboutTask(task, cursor))
  reply[head] = table.concat({ floor, deleted, known, digits(bytes), owner or nil }, '\0')
end
return reply
