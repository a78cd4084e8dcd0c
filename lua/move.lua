-- move: asks that a running instance go to another host, by an operator's word or
-- because its host is drained. It only writes the wish down; schedulers carry
-- it out. A drain has a few wishes at a time, and none for two of a stream
-- whose order matters. An operator may pin its slot to the target in the same
-- step, what does not run, too; or have a copy share a host with one that it is apart from:
-- that host, and who said so, stand in its record (anyway) until they are apart again.
-- KEYS: none. Touches moves, dirty, stream:<key>:<slot>, stream:<key>:<instance>, override:<key>,
--   service:<type>:<host>, host:<host>, events.
-- ARGV: ns, actor, key, name (of an instance, or of a slot for the one that leads it), target (a host, '' for any other), limit (ms after
--   which the wish is given up, 0 for never), drain (how many wishes its host may
--   have at once, 0 if it is an operator's), word ('', pin, anyway: beside other copies, too, or part: away from one), n, n instances
--   of the stream that a drain moves not beside this one; for part who that is.
-- RETURN: {'ok', token, host, instance, type} | {'busy'} (a wish for it is being carried out,
--   or for as many slots of the drained host as may be, or for one of the n) | {'absent'} | {'not', state} (only
--   what runs can move) | {'there'} (it is on the target) | {'waits'} (it may be placed on the target
--   now, beside other copies) | {'refused', why}. The pin is written with 'ok', 'not' and 'there', what may
--   be anyway with 'ok', 'there' and 'waits'.
-- TWICE: the second finds the wish of the first: 'busy'.
local ns, actor, key, name, target = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local limit, at_a_time, word, n = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
local drain, pin, anyway = at_a_time > 0, word == 'pin', nil
local FIRST = 10
-- include: now
-- include: dirty
-- include: event
-- include: pin
-- include: lead
-- include: siblings

local instance = slot_of(name) and name or redis.call('HGET', ns .. 'stream:' .. key .. ':' .. name, 'lead')
if not instance then return { 'absent' } end
local moves, line, slot = ns .. 'moves', member(key, instance), slot_of(instance)
local s = redis.call('HMGET', ns .. 'stream:' .. key .. ':' .. instance, 'state', 'host', 'token', 'type', 'apart', 'only', 'with')
if not s[1] then return { 'absent' } end
if s[7] then return { 'refused', slot .. ' is a sidecar of ' .. s[7] .. ' and runs where that does: move ' .. s[7] } end
if is_job(instance) then
  return { 'refused', instance .. ' is a job, which runs to its end where it is' }
end
if s[6] then
  return { 'refused', slot .. ' is one on every host, and this one is ' .. s[6] .. "'s: cordon or drain that host, or say in the chain which hosts are meant" }
end
if not pin and not drain then
  local only = pinned(key, instance)
  if only and only ~= target and (target ~= '' or only == s[2]) then
    return { 'refused', slot .. ' is pinned to ' .. only .. ': take that back first, or pin it elsewhere' }
  end
end
if redis.call('HEXISTS', moves, line) == 1 then return { 'busy' } end
if drain then
  for i = 0, n - 1 do
    if redis.call('HEXISTS', moves, member(key, ARGV[FIRST + i])) == 1 then return { 'busy' } end
  end
  for _, wish in ipairs(redis.call('HVALS', moves)) do
    local from, why = string.match(wish, '^%S+ (%S+) %S+ %S+ %S+ (%S+) %S+$')
    if from == s[2] and why == '1' then at_a_time = at_a_time - 1 end
  end
  if at_a_time <= 0 then return { 'busy' } end
end
if s[5] and target ~= '' then
  local there, values = barred(key, instance, s[5])
  local near = keeps_off(target, s[5], there, values)
  if pin and next(there) then
    return { 'refused', 'the copies of ' .. slot .. ' are apart, and a pin would bring all of them to ' .. target .. ': move one of them instead, with --anyway' }
  end
  if near and word ~= 'anyway' then
    local where = near.host == target and target or near.host .. ' of the same ' .. s[5] .. ' as ' .. target .. ', ' .. label(target, s[5]) .. ','
    return { 'refused', 'apart: ' .. where .. ' holds ' .. near.name .. ' of this stream; to have it there all the same: stream-api streams move ' .. key .. ' ' .. called(key, instance) .. ' ' .. target .. ' --anyway' }
  end
  anyway = near and near.name
end
if target ~= '' and target ~= s[2] then
  local state = redis.call('HGET', ns .. 'service:' .. s[4] .. ':' .. target, 'state')
  if not state then return { 'refused', 'host ' .. target .. ' offers no ' .. s[4] } end
  if state ~= 'up' then return { 'refused', s[4] .. ' on ' .. target .. ' is ' .. state } end
end
if pin then
  redis.call('HSET', ns .. 'override:' .. key, 'pin:' .. slot, target)
  mark(key)
  wake('dirty')
end
if s[1] ~= 'running' and not (anyway and s[1] == 'pending') then return { 'not', s[1] } end
if anyway then
  redis.call('HSET', ns .. 'stream:' .. key .. ':' .. instance, 'anyway', target .. ' ' .. actor)
  event('together', key, called(key, instance), target, s[3], because('together', 'by', actor, 'with', anyway))
  mark(key)
end
if s[1] == 'pending' then
  wake('pending ' .. s[4])
  return { 'waits' }
end
if target == s[2] then return { 'there' } end
redis.call('HSET', moves, line, table.concat({
  s[3], s[2], target == '' and '*' or target, int(now), limit > 0 and int(now + limit) or '0', drain and '1' or '0', s[4] }, ' '))
local why = word == 'part' and because('parts', 'with', ARGV[FIRST]) or because('move-to', 'host', target)
if not drain then event('move-asked', key, called(key, instance), s[2], s[3], why) end
wake('moves')
return { 'ok', s[3], s[2], instance, s[4] }
