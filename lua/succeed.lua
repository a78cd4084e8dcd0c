-- succeed: puts the successor of a running instance in line: one more instance of
-- its slot, that no host but another may take. It takes over its copy's number.
-- KEYS: none. Touches reaper, moves, stream:<key>, stream:<key>:<slot>, stream:<key>:<instance>,
--   pending:<type>, jobs, events.
-- ARGV: ns, actor, key, instance, token (of the running one), target (a host,
--   '*' for any other).
-- RETURN: {'ok'} | {'busy'} (one is there already, or the one before this is stopping still) | {'stale'} | {'hold', reason}.
-- TWICE: 'busy'.
local ns, actor, key, instance, token, target = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
-- include: now
-- include: hold
-- include: event
-- include: lead

local why = held()
if why then return { 'hold', why } end
local stream, slot = ns .. 'stream:' .. key, slot_of(instance)
local s = redis.call('HMGET', stream .. ':' .. instance, 'state', 'host', 'token', 'score', 'type', 'born', 'copy', 'apart', 'with', 'sidecars', 'anyway')
if s[1] ~= 'running' or s[3] ~= token or redis.call('HEXISTS', ns .. 'moves', member(key, instance)) == 0 then
  return { 'stale' }
end
for name in instances_of(key, slot) do
  local o = redis.call('HMGET', stream .. ':' .. name, 'state', 'copy', 'follows')
  if o[3] == instance or o[1] == 'stopping' and o[2] == s[7] then return { 'busy' } end
end
local next = slot .. '.' .. int((stamp(redis.call('HGET', stream, 'last:' .. slot)) or number_of(instance)) + 1)
local at, rank = stream .. ':' .. next, int(stamp(s[4]) or now)
redis.call('HSET', at, 'state', 'pending', 'type', s[5], 'host', '', 'token', '', 'born', s[6] or int(now), 'since', int(now),
  'score', rank, 'reason', '', 'restarts', '0', 'copy', s[7] or '1', 'follows', instance, 'off', s[2],
  'here', because('move-from', 'host', s[2]))
for i, field in ipairs({ 'apart', 'with', 'sidecars', 'anyway' }) do
  if s[7 + i] then redis.call('HSET', at, field, s[7 + i]) end
end
if target ~= '*' then redis.call('HSET', at, 'move', target) end
enlist(s[5], key, next)
redis.call('ZADD', ns .. 'pending:' .. s[5], rank, member(key, next))
event('successor', key, instance, s[2], token, target == '*' and '' or because('move-to', 'host', target))
wake('pending ' .. s[5])
return { 'ok' }
