-- aside: sets a key aside that a hand made another type of.
-- KEYS: none.
-- ARGV: ns, actor, key (with the namespace), type it should be.
-- RETURN: {'ok'} | {'sound'}.
-- TWICE: the key is gone after the first: 'sound'.
local ns, actor, key, should = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local was = redis.call('TYPE', key).ok
if was == 'none' or was == should then return { 'sound' } end
aside(key, was, should)
return { 'ok' }
