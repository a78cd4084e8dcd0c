-- publish: the whole set of variables that a running instance publishes. It replaces
-- what this or an earlier token published. If the instance leads its slot, the slot
-- says the same to the others of its stream; hosts that hold these are told by their
-- revision.
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
local changed, updates = replace(at, fresh), {}
local said = stream .. ':' .. slot
if not s[4] and redis.call('HGET', said, 'lead') ~= instance then
  updates = settle(key, slot, because('ready')) -- its lead may have been waiting for this
elseif replace(said, fresh) then
  changed = true
  updates = dependants(key, slot)
  wake('vars ' .. key)
end
if not changed then return { 'same' } end
return { 'ok', updates }
