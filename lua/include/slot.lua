-- slot: the steps of a slot's life that more than one script takes.

-- include: dependants

-- promote gives the name of a slot whose holder is gone to its successor, if
-- that runs: the move is over, and nobody has to wait.
local function promote(stype, key, slot, reason)
  local at = ns .. 'stream:' .. key .. ':' .. slot
  local n = redis.call('HMGET', at .. '~next', 'state', 'host', 'token')
  if n[1] ~= 'running' then return false end
  local born = redis.call('HGET', at, 'born')
  redis.call('RENAME', at .. '~next', at)
  redis.call('HSET', at, 'born', born or int(now), 'reason', '')
  redis.call('HDEL', at, 'avoid', 'move')
  redis.call('HDEL', ns .. 'stream:' .. key, 'slot:' .. slot .. '~next')
  local member = stype .. '|' .. key .. '|' .. slot
  redis.call('SREM', ns .. 'slots:' .. n[2], member .. '~next')
  redis.call('SADD', ns .. 'slots:' .. n[2], member)
  bump(n[2])
  dependants(key, slot)
  event('moved', key, slot, n[2], n[3], reason)
  wake('moves')
  wake('vars ' .. key)
  return true
end

-- requeue puts a slot back in line. Its score was fixed when it was first
-- wanted, so what was on air keeps its age. Its variables stay until another
-- token replaces them: a dependant is not stopped for a missing upstream. The
-- host it was to move to stays, too, until it is placed.
local function requeue(stype, key, slot, reason)
  if promote(stype, key, slot, reason) then return end
  local at = ns .. 'stream:' .. key .. ':' .. slot
  local rank = stamp(redis.call('HGET', at, 'score')) or now
  redis.call('HSET', at, 'state', 'pending', 'host', '', 'token', '', 'since', int(now), 'reason', reason)
  redis.call('HDEL', at, 'assigned', 'attempt', 'speed', 'fps', 'stale', 'up', 'phase', 'restart')
  redis.call('ZADD', ns .. 'pending:' .. stype, int(rank), key .. '|' .. slot)
  wake('pending ' .. stype)
end

-- avoid keeps a slot off a host until now + ms, and off those of text (host=till
-- ...) that are still to be avoided; what is over leaves.
local function avoid(at, text, host, ms)
  local keep = {}
  for other, till in string.gmatch(text or '', '(%S+)=(%d+)') do
    if tonumber(till) > now and other ~= host then keep[#keep + 1] = other .. '=' .. till end
  end
  if ms > 0 then keep[#keep + 1] = host .. '=' .. int(now + ms) end
  if #keep > 0 then redis.call('HSET', at, 'avoid', table.concat(keep, ' ')) else redis.call('HDEL', at, 'avoid') end
end

-- forget removes a slot that is no longer wanted, and its stream with the
-- last of them. The mark lets a stream that came back meanwhile be wanted.
local function forget(stype, key, slot)
  local stream = ns .. 'stream:' .. key
  redis.call('DEL', stream .. ':' .. slot)
  redis.call('ZREM', ns .. 'pending:' .. stype, key .. '|' .. slot)
  redis.call('HDEL', stream, 'slot:' .. slot)
  mark(key)
  if redis.call('HEXISTS', stream, 'sys:gone') == 0 then return end
  for _, field in ipairs(redis.call('HKEYS', stream)) do
    if string.sub(field, 1, 5) == 'slot:' then return end
  end
  redis.call('DEL', stream)
  redis.call('ZREM', ns .. 'streams', key)
end

-- unwant takes the want of one slot away. Unclaimed work is forgotten at
-- once; what runs holds its capacity until its children are gone. Returns
-- the row of a stop command, or nil.
local function unwant(stype, key, slot, why)
  local at = ns .. 'stream:' .. key .. ':' .. slot
  local s = redis.call('HMGET', at, 'state', 'host', 'token')
  if s[1] == 'running' then
    redis.call('HSET', at, 'state', 'stopping', 'since', int(now), 'reason', why)
    bump(s[2])
    event('stopping', key, slot, s[2], s[3], why)
    return { key, slot, stype, s[2], s[3] }
  elseif s[1] == 'stopping' then
    return { key, slot, stype, s[2], s[3] }
  elseif s[1] == 'assigned' then
    give_back(stype, key, slot, s[2])
  end
  forget(stype, key, slot)
  return nil
end
