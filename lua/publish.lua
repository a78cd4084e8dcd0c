-- publish: the whole set of variables that a running instance publishes. It replaces
-- what this or an earlier token published. If the instance leads its slot, the slot
-- says the same to the others of its stream; hosts that hold these are told by their
-- revision, of what another says, too.
-- KEYS: none. Touches host:<host>, stream:<key>, stream:<key>:<slot>, stream:<key>:<instance>,
--   requeue, events.
-- ARGV: ns, actor, key, instance, host, token, incarnation, n, n pairs of name and
--   value.
-- RETURN: {'ok', rows of update commands} | {'same'} | {'stale'};
--   a row is {key, instance, type, host, token}.
-- TWICE: equal sets answer 'same'.
local ns, actor, key, instance, host, token, incarnation = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local n = tonumber(ARGV[8])
local FIRST = 9
-- include: now
-- include: event
-- include: lead

local stream, slot = ns .. 'stream:' .. key, slot_of(instance)
local at = stream .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'alone')
if (s[1] ~= 'running' and s[1] ~= 'stopping') or s[2] ~= host or s[3] ~= token
  or redis.call('HGET', ns .. 'host:' .. host, 'incarnation') ~= incarnation then
  return { 'stale' }
end

local fresh = {}
for i = 0, n - 1 do fresh['var:' .. ARGV[FIRST + 2 * i]] = ARGV[FIRST + 2 * i + 1] end
local was, old = {}, redis.call('HGETALL', at)
for i = 1, #old, 2 do
  local name = string.match(old[i], '^kept:(.+)$')
  if name then was[#was + 1] = old[i] end
end
if #was > 0 then redis.call('HDEL', at, unpack(was)) end
local changed, updates = replace(at, fresh), {}
local said = stream .. ':' .. slot
if n > 0 then redis.call('HSETNX', said, 'said', int(now)) end
if not s[4] and redis.call('HGET', said, 'lead') ~= instance then
  updates = settle(key, slot, because('ready')) -- its lead may have been waiting for this
  if changed then -- who uses what all say, or what that of its own host says
    updates = dependants(key, slot)
    wake('vars ' .. key)
  end
elseif replace(said, fresh) then
  changed = true
  updates = dependants(key, slot)
  wake('vars ' .. key)
end
if not changed then return { 'same' } end
return { 'ok', updates }
