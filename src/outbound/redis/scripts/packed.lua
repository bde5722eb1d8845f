-- How scripts that only read return attachments: this file is put before each of them, after task.lua.
--
-- Packed are the members of an attachment in the order below, joined with U+0000, which no member contains: one string
-- costs the caller much less than a list, and names would make it longer. '' is what the attachment lacks; only content
-- may be empty.

local MEMBERS = {
  'key', 'op', 'version', 'taskId', 'id', 'type', 'createdBy', 'createdAt', 'updatedAt',
  'expiresAt', 'size', 'url', 'mimeType', 'value', 'content',
}
local LAST_REQUIRED, LAST_OF_OUTLINE, LAST = 9, 13, 15
local TYPE, VALUE, CONTENT = 6, 14, 15
-- The member that has the body; other types have none.
local BODY = { json = 'value', markdown = 'content', text = 'content' }

-- What value and content of the attachment have; 0 if its key is of a wrong type.
local function bytesOf(key)
  local value = redis.pcall('HSTRLEN', HASHES .. key, 'value')
  if type(value) ~= 'number' then return 0 end
  return value > 0 and value or redis.call('HSTRLEN', HASHES .. key, 'content')
end

-- The members up to `last`; nil unless the hash belongs to the record and can be packed.
local function membersOf(key, record, last)
  local found = redis.pcall('HMGET', HASHES .. key, unpack(MEMBERS, 1, last))
  if found[1] ~= key or found[2] ~= record.op or found[3] ~= record.versionText then return nil end
  for i = 4, LAST_REQUIRED do
    if not found[i] then return nil end
  end
  for i = LAST_REQUIRED + 1, last do
    if found[i] == '' and i ~= CONTENT then return nil end
    found[i] = found[i] or ''
  end
  return found
end

-- Nil unless the hash belongs to the record. `first` takes the place of the key.
local function packedHash(first, key, record)
  local found = membersOf(key, record, LAST)
  if not found then return nil end
  if found[CONTENT] == '' and BODY[found[TYPE]] == 'content' then
    if redis.call('HEXISTS', HASHES .. key, 'content') == 0 then return nil end
  end
  found[1] = first
  return table.concat(found, '\0')
end

-- The same with the number of bytes in place of value and content.
local function packedOutline(key, record)
  local found = membersOf(key, record, LAST_OF_OUTLINE)
  local body = found and BODY[found[TYPE]]
  if body then
    if redis.call('HEXISTS', HASHES .. key, body) == 0 then return nil end
    found[VALUE] = digits(redis.call('HSTRLEN', HASHES .. key, body))
  end
  return found and table.concat(found, '\0')
end
