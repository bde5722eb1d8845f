-- The oldest entries of a journal.
--
-- KEYS    the journal
-- ARGV    how many at most, and how many bytes at most behind the first
-- Reply   the entries, oldest first; none where the journal is no list
-- One script, so that what is beyond the bounds need not be read.

local maxEntries, maxBytes = tonumber(ARGV[1]), tonumber(ARGV[2])
local entries, bytes = {}, 0
while #entries < maxEntries do
  local entry = redis.pcall('LINDEX', KEYS[1], #entries)
  if type(entry) ~= 'string' then break end
  if #entries > 0 then bytes = bytes + #entry end
  if bytes > maxBytes then break end
  entries[#entries + 1] = entry
end
return entries
