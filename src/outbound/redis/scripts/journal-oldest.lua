-- The oldest entries of a journal.
--
-- KEYS    the journal
-- ARGV    the maximum number of entries, the maximum number of bytes after the first entry
-- Reply   the entries, oldest first; none if the journal is not a list
-- One script, so that entries beyond these limits are not sent.

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
