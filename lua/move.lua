-- move: asks that a running slot go to another host, by an operator's word or
-- because its host is drained. It only writes the wish down; schedulers carry
-- it out. A drain has one wish at a time. An operator may pin the slot to the
-- target in the same step, what does not run, too.
-- KEYS: none. Touches moves, dirty, stream:<key>:<slot>, override:<key>,
--   service:<type>:<host>, events.
-- ARGV: ns, actor, key, slot, target (a host, '' for any other), limit (ms after
--   which the wish is given up, 0 for never), drain (1 or 0), pin (1 or 0).
-- RETURN: {'ok', token, host} | {'busy'} (a wish for it, or for another slot of
--   the drained host, is being carried out) | {'absent'} | {'not', state} (only
--   what runs can move) | {'there'} (it is on the target) | {'refused', why}. The
--   pin is written with 'ok', 'not' and 'there'.
-- TWICE: the second finds the wish of the first: 'busy'.
local ns, actor, key, slot, target = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local limit, drain, pin = tonumber(ARGV[6]), ARGV[7], ARGV[8] == '1'
-- include: now
-- include: dirty
-- include: event
-- include: pin

local moves, member = ns .. 'moves', key .. '|' .. slot
local s = redis.call('HMGET', ns .. 'stream:' .. key .. ':' .. slot, 'state', 'host', 'token', 'type')
if not s[1] then return { 'absent' } end
if not pin and drain ~= '1' then
  local only = pinned(key, slot)
  if only and only ~= target and (target ~= '' or only == s[2]) then
    return { 'refused', slot .. ' is pinned to ' .. only .. ': take that back first, or pin it elsewhere' }
  end
end
if redis.call('HEXISTS', moves, member) == 1 then return { 'busy' } end
if drain == '1' then
  for _, wish in ipairs(redis.call('HVALS', moves)) do
    local from, why = string.match(wish, '^%S+ (%S+) %S+ %S+ %S+ (%S+)$')
    if from == s[2] and why == '1' then return { 'busy' } end
  end
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
if s[1] ~= 'running' then return { 'not', s[1] } end
if target == s[2] then return { 'there' } end
redis.call('HSET', moves, member, table.concat({
  s[3], s[2], target == '' and '*' or target, int(now), limit > 0 and int(now + limit) or '0', drain }, ' '))
if drain ~= '1' then event('move-asked', key, slot, s[2], s[3], target) end
wake('moves')
return { 'ok', s[3], s[2] }
