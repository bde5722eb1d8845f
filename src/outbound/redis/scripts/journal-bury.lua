-- Moves an entry that cannot be read from the head of the journal to the dead letters.
--
-- KEYS    the journal, the dead letters
-- ARGV    the entry
-- Reply   none
-- Atomic, so that if two replicas cannot read the entry, neither of them moves the next one.

local JOURNAL, DEAD_LETTERS = KEYS[1], KEYS[2]
if redis.call('LINDEX', JOURNAL, 0) ~= ARGV[1] then return end
redis.call('LPOP', JOURNAL)
append(DEAD_LETTERS, 'unreadable ' .. ARGV[1])
