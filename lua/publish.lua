-- publish: the whole set of variables a running slot offers to the others of
-- its stream. It replaces what this or an earlier token published. Hosts that
-- hold other slots of the stream are told by their revision.
-- KEYS: none. Touches host:<host>, stream:<key>, stream:<key>:<slot>.
-- ARGV: ns, actor, key, slot, host, token, incarnation, n, n pairs of name and
--   value.
-- RETURN: {'ok', rows of update commands} | {'same'} | {'stale'};
--   a row is {key, slot, type, host, token}.
-- TWICE: equal sets answer 'same'.
local ns, actor, key, slot, host, token, incarnation = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local n = tonumber(ARGV[8])
local FIRST = 9
-- include: now
-- include: event
-- include: dependants
-- include: rev

local stream = ns .. 'stream:' .. key
local at = stream .. ':' .. slot
local s = redis.call('HMGET', at, 'state', 'host', 'token')
if (s[1] ~= 'running' and s[1] ~= 'stopping') or s[2] ~= host or s[3] ~= token
  or redis.call('HGET', ns .. 'host:' .. host, 'incarnation') ~= incarnation then
  return { 'stale' }
end

local fresh, old, changed = {}, {}, false
for i = 0, n - 1 do fresh['var:' .. ARGV[FIRST + 2 * i]] = ARGV[FIRST + 2 * i + 1] end
local rows = redis.call('HGETALL', at)
for i = 1, #rows, 2 do
  if string.sub(rows[i], 1, 4) == 'var:' then
    old[rows[i]] = rows[i + 1]
    if not fresh[rows[i]] then
      redis.call('HDEL', at, rows[i])
      changed = true
    end
  end
end
for field, value in pairs(fresh) do
  if old[field] ~= value then
    redis.call('HSET', at, field, value)
    changed = true
  end
end
if not changed then return { 'same' } end

local updates = dependants(key, slot)
wake('vars ' .. key)
return { 'ok', updates }
