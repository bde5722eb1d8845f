-- Brings a part of the cache into an epoch, if it may enter it.
--
-- KEYS    the owner, the cursor
-- ARGV    database, epoch, address of the store as a fingerprint, the time in ms after which a replica that has not
--         projected counts as gone, then the epochs that the caller has seen end
-- Reply   'entered'; 'ended', 'unknown' or 'other-database', as in EpochVerdict
-- Atomic, so that two replicas which claim different epochs do not both enter.
--
-- KEYS[1] owner: a hash, never with a lifetime. Its fields:
--           database   the database to which all of this belongs
--           epoch      the present one: every other script names its own, and is refused if it is not this one
--           ended      earlier epochs, the latest last
--           mark       when a replica of the present epoch projected last, in ms
--           addresses  fingerprints of the last addresses at which replicas reached the store

local MAX_ENDED, MAX_ADDRESSES = 100, 8
local OWNER, CURSOR = KEYS[1], KEYS[2]
local database, epoch, address, silenceMs = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function words(text)
  local list = {}
  for word in string.gmatch(text or '', '%S+') do list[#list + 1] = word end
  return list
end

local function includes(list, word)
  for _, one in ipairs(list) do
    if one == word then return true end
  end
  return false
end

-- The words with one more at the end, and of these the last `max`.
local function withLast(list, word, max)
  local kept = {}
  for _, one in ipairs(list) do
    if one ~= word then kept[#kept + 1] = one end
  end
  kept[#kept + 1] = word
  return table.concat(kept, ' ', math.max(#kept - max + 1, 1))
end

local held = redis.pcall('HMGET', OWNER, 'database', 'epoch', 'ended', 'mark', 'addresses')
if held.err then
  redis.call('DEL', OWNER)
  held = {}
end
local present, ended = held[2] or nil, words(held[3] or '')
if held[1] and held[1] ~= database then return 'other-database' end
if present ~= epoch then
  if includes(ended, epoch) then return 'ended' end
  local hasEnded = not present
  for i = 5, #ARGV do hasEnded = hasEnded or ARGV[i] == present end
  local mark = tonumber(held[4] or '') or 0
  if not hasEnded and mark <= nowMs and nowMs - mark < silenceMs then return 'unknown' end
  if present then redis.call('HSET', OWNER, 'ended', withLast(ended, present, MAX_ENDED)) end
  redis.call('HSET', OWNER, 'database', database, 'epoch', epoch, 'mark', tostring(nowMs))
  redis.call('DEL', CURSOR)
end
redis.call('HSET', OWNER, 'addresses', withLast(words(held[5] or ''), address, MAX_ADDRESSES))
return 'entered'
