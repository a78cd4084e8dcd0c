-- items: the child of an instance says that something is finished, a segment of a recording, and each
-- job that comes after such an item gets one. A stream has so many of them open and no more.
-- KEYS: none. Touches host:<host>, stream:<key>, stream:<key>:<instance>, jobs, jobs:made,
--   types:wanted, pending:<type>, events.
-- ARGV: ns, actor, key, instance, host, token, incarnation, n, n items.
-- RETURN: {'ok', open} (how many jobs for items of this slot are there now) | {'full', open} (these would be
--   too many: tell them again when some are done) | {'stale'} (it is not this holder's any more: tell them with its end).
-- TWICE: an item of a token is made once: 'ok'.
local ns, actor, key, instance, host, token, incarnation, n = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local FIRST = 9
-- include: now
-- include: event
-- include: jobs

-- OPEN is how many jobs for items of a slot may be open.
local OPEN = 1000

local at, stream = ns .. 'stream:' .. key .. ':' .. instance, ns .. 'stream:' .. key
local s = redis.call('HMGET', at, 'host', 'token', 'ran')
if s[1] ~= host or s[2] ~= token or redis.call('HGET', ns .. 'host:' .. host, 'incarnation') ~= incarnation then
  return { 'stale' }
end
local jobs, open = after_slot(redis.call('HGET', stream, 'items'), slot_of(instance), true), 0
local mine = {}
for _, job in ipairs(jobs) do mine[job.name] = true end
for _, field in ipairs(#jobs > 0 and redis.call('HKEYS', stream) or {}) do
  if mine[string.match(field, '^instance:([a-z0-9_]+)~') or 0] then open = open + 1 end
end
if open > 0 and open + n * #jobs > OPEN then return { 'full', open } end
local known = #jobs > 0 and tell_end(reads_of_stream(key, reads_of(key, instance)), host, 'item', stamp(s[3]) or now, now)
for _, job in ipairs(jobs) do
  for i = 0, n - 1 do
    if make(key, job, { instance = instance, token = token, host = host, known = known }, ARGV[FIRST + i]) then open = open + 1 end
  end
end
return { 'ok', open }
