-- To whom a part of the cache belongs, and how far it has been brought.
--
-- KEYS    the owner, the cursor
-- ARGV    the address of the store, as a fingerprint
-- Reply   { cursor or nil, database or nil, epoch or nil, '1' if the address is known else '0' }
-- One script, so that the cursor is that of the epoch.

local OWNER, CURSOR, address = KEYS[1], KEYS[2], ARGV[1]
local cursor = redis.pcall('GET', CURSOR)
local held = redis.pcall('HMGET', OWNER, 'database', 'epoch', 'addresses')
local isKnown = type(held[3]) == 'string' and string.find(' ' .. held[3] .. ' ', ' ' .. address .. ' ', 1, true)
return { type(cursor) == 'string' and cursor, held[1] or false, held[2] or false, isKnown and '1' or '0' }
