-- shadow: puts the successor of a running slot in line: a slot of its own beside
-- it, under the name <slot>~next, that no host but another may take.
-- KEYS: none. Touches reaper, moves, stream:<key>, stream:<key>:<slot>, pending:<type>, events.
-- ARGV: ns, actor, key, slot, type, token (of the running one), target (a host,
--   '*' for any other).
-- RETURN: {'ok'} | {'busy'} (one is there already) | {'stale'} | {'hold', reason}.
-- TWICE: 'busy'.
local ns, actor, key, slot, stype, token, target = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
-- include: now
-- include: hold
-- include: event

local why = held()
if why then return { 'hold', why } end
local stream, next = ns .. 'stream:' .. key, slot .. '~next'
local s = redis.call('HMGET', stream .. ':' .. slot, 'state', 'host', 'token', 'score')
if s[1] ~= 'running' or s[3] ~= token or redis.call('HEXISTS', ns .. 'moves', key .. '|' .. slot) == 0 then
  return { 'stale' }
end
local at = stream .. ':' .. next
if redis.call('EXISTS', at) == 1 then return { 'busy' } end
local rank = int(stamp(s[4]) or now)
-- A day is longer than any move lasts.
redis.call('HSET', at, 'state', 'pending', 'type', stype, 'host', '', 'token', '', 'born', int(now), 'since', int(now),
  'score', rank, 'reason', '', 'restarts', '0', 'avoid', s[2] .. '=' .. int(now + 86400000))
if target ~= '*' then redis.call('HSET', at, 'move', target) end
redis.call('HSET', stream, 'slot:' .. next, stype)
redis.call('ZADD', ns .. 'pending:' .. stype, rank, key .. '|' .. next)
event('successor', key, slot, s[2], token, target == '*' and '' or because('move-to', 'host', target))
wake('pending ' .. stype)
return { 'ok' }
