-- restore: puts what the records know of a source's announcements in the place of
-- a key that a hand made another type of. Its pollers say the rest.
-- KEYS: none. Touches announced:<source>, source:<source>.
-- ARGV: ns, actor, source, nonce, n, n pairs of key and announcement.
-- RETURN: {'ok'} | {'sound'}.
-- TWICE: the key is a hash after the first: 'sound'.
local ns, actor, source, nonce, n = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local FIRST = 6
-- include: now

local announced = ns .. 'announced:' .. source
local was = redis.call('TYPE', announced).ok
if was == 'none' or was == 'hash' then return { 'sound' } end
aside(announced, was, 'hash')
for i = 0, n - 1 do redis.call('HSET', announced, ARGV[FIRST + 2 * i], ARGV[FIRST + 2 * i + 1]) end
-- Who polls it compares what it knows with this version and reads the rest anew.
redis.call('HSET', ns .. 'source:' .. source, 'version', int(now_us) .. '-' .. nonce)
return { 'ok' }
