-- slot: the steps of an instance's life that more than one script takes.
-- lazy
-- include: dirty
-- include: lead
-- include: gap
-- include: sidecars

-- successor is the instance that is to follow this one, if there is one that is
-- not being stopped, and its state.
local function successor(key, instance)
  local stream = ns .. 'stream:' .. key
  local list = redis.call('HGET', stream .. ':' .. slot_of(instance), 'instances')
  if not list or not string.find(list, ' ', 1, true) then return nil end
  for name in string.gmatch(list, '%S+') do
    local v = redis.call('HMGET', stream .. ':' .. name, 'follows', 'state')
    if v[1] == instance and v[2] ~= 'stopping' then return name, v[2] end
  end
end

-- avoid_host keeps a slot off a host until now + ms, and off those of text (host=till
-- ...) that are still to be avoided; what is over leaves.
local function avoid_host(at, text, host, ms)
  local keep = {}
  for other, till in string.gmatch(text or '', '(%S+)=(%d+)') do
    if tonumber(till) > now and other ~= host then keep[#keep + 1] = other .. '=' .. till end
  end
  if ms > 0 then keep[#keep + 1] = host .. '=' .. int(now + ms) end
  if #keep > 0 then redis.call('HSET', at, 'avoid', table.concat(keep, ' ')) else redis.call('HDEL', at, 'avoid') end
end

-- forget removes an instance that is no longer wanted, its slot with the last of
-- them, and the stream with the last of these. The mark lets a stream that came
-- back meanwhile be wanted; no job is, so that marks only what want is to clear away. since is
-- when it ran last, if not now.
local function forget(stype, key, instance, since)
  local stream, slot = ns .. 'stream:' .. key, slot_of(instance)
  local ran = lit(redis.call('HMGET', stream .. ':' .. instance, 'state', 'phase', 'up'))
  unheld_by(stype, key, instance)
  redis.call('DEL', stream .. ':' .. instance)
  redis.call('ZREM', ns .. 'pending:' .. stype, member(key, instance))
  if delist(key, instance) > 0 then
    if ran then darken(key, instance, since or now) end
    settle(key, slot, because('lead-lost'))
  end
  if not is_job(instance) or redis.call('HEXISTS', stream, 'key') == 0 then mark(key) end
  if redis.call('HEXISTS', stream, 'sys:gone') == 0 then return end
  for _, field in ipairs(redis.call('HKEYS', stream)) do
    if string.sub(field, 1, 9) == 'instance:' then return end
  end
  redis.call('DEL', stream)
  redis.call('ZREM', ns .. 'streams', key)
end

-- astray has want look whether the sidecars of an instance are where it is now.
local function astray(key, instance)
  if not redis.call('HGET', ns .. 'stream:' .. key .. ':' .. instance, 'sidecars') then return end
  mark(key)
  wake('dirty')
end

-- inherit ends a handover: what followed the instance is in its place.
local function inherit(key, heir, instance)
  local stream = ns .. 'stream:' .. key
  redis.call('HDEL', stream .. ':' .. heir, 'follows', 'off', 'move')
  redis.call('HDEL', ns .. 'moves', member(key, instance))
  wake('moves')
  astray(key, heir)
end

-- requeue puts an instance back in line. Its score was fixed when its slot was first
-- wanted, so what was on air keeps its age. What the slot says stays until another
-- lead replaces it: a dependant is not stopped for a missing upstream; for those who use
-- what all instances say, kept:<name> is what this one said last. The host it
-- was to move to stays, too, until it is placed. If one that is to follow it runs
-- already, that is what the slot has; one that does not is one too many. Why it left is why
-- it will be elsewhere (here). alone is the record's field. since is when it was last heard of, if not now.
local function requeue(stype, key, instance, reason, alone, since)
  local at, slot = ns .. 'stream:' .. key .. ':' .. instance, slot_of(instance)
  local heir, state
  if not alone then heir, state = successor(key, instance) end
  if state == 'running' then
    local own = ns .. 'stream:' .. key .. ':' .. heir
    local v = redis.call('HMGET', own, 'avoid', 'host', 'token')
    avoid_host(own, (v[1] or '') .. ' ' .. (redis.call('HGET', at, 'avoid') or ''), '', 0)
    inherit(key, heir, instance)
    event('moved', key, heir, v[2], v[3], reason)
    return forget(stype, key, instance, since)
  end
  local ran = redis.call('HMGET', at, 'state', 'phase', 'up', 'since', 'move', 'host')
  if lit(ran) then darken(key, instance, math.max(since or now, stamp(ran[4]) or 0)) end
  local rank = stamp(redis.call('HGET', at, 'score')) or now
  redis.call('HSET', at, 'state', 'pending', 'host', '', 'token', '', 'since', int(now), 'reason', reason,
    'here', ran[5] and string.match(reason, '^moved%-away') and because('move-from', 'host', ran[6] or '') or reason)
  redis.call('HDEL', at, 'assigned', 'sending', 'speed', 'fps', 'stale', 'up', 'phase', 'restart', 'ran')
  for field, value in pairs(variables(at)) do redis.call('HSET', at, 'kept:' .. string.sub(field, 5), value) end
  if redis.call('HGET', at, 'with') then redis.call('HDEL', at, 'move') end
  replace(at, {})
  astray(key, instance)
  redis.call('ZADD', ns .. 'pending:' .. stype, int(rank), member(key, instance))
  if heir then
    local v = redis.call('HMGET', ns .. 'stream:' .. key .. ':' .. heir, 'type', 'host')
    local target = string.match(redis.call('HGET', ns .. 'moves', member(key, instance)) or '', '^%S+ %S+ (%S+)')
    if target and target ~= '*' then redis.call('HSET', at, 'move', target) end
    if state == 'assigned' then give_back(v[1], key, heir, v[2]) end
    forget(v[1], key, heir)
  end
  if alone then mirror(key, slot, instance, true, 'pending', '') else settle(key, slot, reason) end
  wake('pending ' .. stype)
end

-- unwant takes the want of one instance away. Unclaimed work is forgotten at
-- once; what runs holds its capacity until its children are gone. Returns
-- the row of a stop command, or nil.
local function unwant(stype, key, instance, why)
  local at = ns .. 'stream:' .. key .. ':' .. instance
  local s = redis.call('HMGET', at, 'state', 'host', 'token', 'alone')
  if s[1] == 'running' then
    redis.call('HSET', at, 'state', 'stopping', 'since', int(now), 'reason', why)
    bump(s[2])
    if not s[4] then settle(key, slot_of(instance), why) end
    local name = mirror(key, slot_of(instance), instance, s[4], 'stopping', s[2])
    event('stopping', key, name, s[2], s[3], why)
    return { key, instance, stype, s[2], s[3] }
  elseif s[1] == 'stopping' then
    return { key, instance, stype, s[2], s[3] }
  elseif s[1] == 'assigned' then
    give_back(stype, key, instance, s[2])
  end
  forget(stype, key, instance)
  return nil
end
