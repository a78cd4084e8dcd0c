-- job: what an operator says of a job: that it be tried again, count as failed, or be forgotten.
-- KEYS: none. Touches stream:<key>, stream:<key>:<slot>, stream:<key>:<instance>, streams, jobs, pending:<type>, outbox, slots:<host>,
--   service:<type>:<host>, load:<type>:<class>, host:<host>, dirty, requeue, events.
-- ARGV: ns, actor, key, instance, word (retry: what failed, from the start; fail: what waits; remove:
--   whatever state it is in, what runs is stopped), why.
-- RETURN: {'ok', type, host, token} (host and token: what is to be stopped, '' for nothing) | {'absent'} | {'not', state}
--   (what is in this state cannot be).
-- TWICE: a job that waits, failed or is gone already: 'not', 'absent'.
local ns, actor, key, instance, word, why = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
-- include: now
-- include: event
-- include: index
-- include: account
-- include: slot
-- include: jobs

local at = ns .. 'stream:' .. key .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'type', 'host', 'score')
if not s[1] or not is_job(instance) then return { 'absent' } end
local stype = s[2] or slot_of(instance)
if word == 'remove' then
  if s[1] ~= 'running' and s[1] ~= 'stopping' then event('job-removed', key, instance, s[3] or '', '', why) end
  local row = unwant(stype, key, instance, why)
  return { 'ok', stype, row and row[4] or '', row and row[5] or '' }
end
if word == 'retry' and s[1] == 'failed' then
  redis.call('HSET', at, 'state', 'pending', 'since', int(now), 'reason', '', 'tries', '0', 'restarts', '0')
  redis.call('HDEL', at, 'avoid', 'on')
  redis.call('ZADD', ns .. 'pending:' .. stype, int(stamp(s[4]) or JOBS + now), member(key, instance))
  event('job', key, instance, '', '', why)
  wake('pending ' .. stype)
  return { 'ok', stype, '', '' }
end
if word == 'fail' and s[1] == 'pending' then
  fail(stype, key, instance, '', why)
  return { 'ok', stype, '', '' }
end
return { 'not', s[1] }
