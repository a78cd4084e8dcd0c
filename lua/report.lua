-- report: what a host sees of an instance it runs, for people to read: restarts,
-- reason, exit, stderr, speed, fps, stale, up (others may build on its child, since so
-- many ms), restart (to take the wish away), ran (its child ran under this token; kept is since
-- when that is known), tries (of a job), phase (starting, unready or failing; when
-- it begins or ends, since is set). An empty value removes the field. If nothing ran of
-- its slot before, the event gap says for how long.
-- KEYS: none. Touches host:<host>, stream:<key>, stream:<key>:<slot>,
--   stream:<key>:<instance>, requeue, events.
-- ARGV: ns, actor, key, instance, host, token, incarnation, happened (an event to
--   record, or ''), why, n, n pairs of field and value.
-- RETURN: {'ok'} | {'stale'}.
-- TWICE: fields are set, not added to; the event may be recorded twice.
local ns, actor, key, instance, host, token, incarnation = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local happened, why, n = ARGV[8], ARGV[9], tonumber(ARGV[10])
local FIRST = 11
local OPEN = { restarts = true, reason = true, exit = true, stderr = true, speed = true, fps = true, stale = true, up = true, restart = true, phase = true, ran = true, tries = true }
-- include: now
-- include: event
-- include: lead
-- include: gap

local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'host', 'token', 'phase', 'alone', 'state', 'up')
if s[1] ~= host or s[2] ~= token or redis.call('HGET', ns .. 'host:' .. host, 'incarnation') ~= incarnation then
  return { 'stale' }
end
local bears = false -- on who leads
for i = 0, n - 1 do
  local field, value = ARGV[FIRST + 2 * i], ARGV[FIRST + 2 * i + 1]
  if OPEN[field] then
    bears = bears or field == 'phase' or field == 'up'
    if field == 'phase' and (s[3] or '') ~= value and ((s[3] or '') == '' or value == '') then
      redis.call('HSET', at, 'since', int(now))
    end
    if field == 'ran' then redis.call('HSETNX', at, field, int(now))
    elseif value == '' then redis.call('HDEL', at, field) else redis.call('HSET', at, field, value) end
  end
end
if bears then
  local was, is = lit({ s[5], s[3], s[6] }), redis.call('HMGET', at, 'state', 'phase', 'up')
  if was and not lit(is) then
    darken(key, instance, now)
  elseif not was and lit(is) then
    lighten(key, instance, s[4] and slot_of(instance) or called(key, instance), host, token, stamp(is[3]) or 0)
  end
end
if bears and not s[4] then settle(key, slot_of(instance), because('ready')) end
if happened ~= '' then event(happened, key, s[4] and slot_of(instance) or called(key, instance), host, token, why) end
wake('report')
return { 'ok' }
