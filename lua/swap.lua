-- swap: the successor of a slot runs, so the two exchange their names. The old
-- one is then <slot>~next, stopping, and is forgotten once its runner has
-- released it. Both hold what they held: no figure changes.
-- KEYS: none. Touches reaper, stream:<key>, stream:<key>:<slot>, slots:<host>,
--   host:<host>, events.
-- ARGV: ns, actor, key, slot, type, token (of the old one), its successor's token.
-- RETURN: {'ok', row of the stop command, rows of update commands} | {'stale'} |
--   {'hold', reason}; a row is {key, slot, type, host, token}.
-- TWICE: the tokens have changed places: 'stale'.
local ns, actor, key, slot, stype, old, new = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
-- include: now
-- include: hold
-- include: event
-- include: dependants

local why = held()
if why then return { 'hold', why } end
local at = ns .. 'stream:' .. key .. ':' .. slot
local next, parked = at .. '~next', at .. '~parked'
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'born')
local n = redis.call('HMGET', next, 'state', 'host', 'token')
if s[1] ~= 'running' or s[3] ~= old or n[1] ~= 'running' or n[3] ~= new then return { 'stale' } end

redis.call('RENAME', at, parked)
redis.call('RENAME', next, at)
redis.call('RENAME', parked, next)
redis.call('HSET', at, 'born', s[4] or int(now), 'reason', '')
redis.call('HDEL', at, 'avoid', 'move')
redis.call('HSET', next, 'state', 'stopping', 'since', int(now), 'reason', because('moved', 'host', n[2]))
redis.call('HDEL', next, 'move')
local member = stype .. '|' .. key .. '|' .. slot
redis.call('SREM', ns .. 'slots:' .. s[2], member)
redis.call('SREM', ns .. 'slots:' .. n[2], member .. '~next')
redis.call('SADD', ns .. 'slots:' .. s[2], member .. '~next')
redis.call('SADD', ns .. 'slots:' .. n[2], member)
bump(s[2])
bump(n[2])
event('moved', key, slot, n[2], new, because('move-from', 'host', s[2]))
wake('vars ' .. key)
return { 'ok', { key, slot .. '~next', stype, s[2], old }, dependants(key, slot) }
