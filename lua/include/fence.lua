-- fence: notices that the store is not the one it was. expected is what the
-- caller thinks the clock says (last reply plus its own elapsed time; '' for
-- no opinion), epoch that of the data it remembers ('' for none), ttl and
-- beat the longest lease it knows of in ms. Opens a hold where holders must
-- have time to speak first, has every host reconcile, and ticks. forgot: the server
-- had forgotten the scripts.
-- include: leases
local function run_id()
  local info = redis.pcall('INFO', 'server')
  if type(info) ~= 'string' then return '' end -- the embedded store has none, and a user may not be allowed it
  return string.match(info, 'run_id:(%w+)') or ''
end

-- suspect says why the store is not trusted as it is, or nil. A caller with
-- an opinion of the clock sees a jump of it; to one without, a jump hides in
-- the age of the last tick, so that age must stay below what hosts give away
-- of their leases (1 s and a tenth), with something left for small jumps.
local function suspect(r, id, expected, epoch, ttl, forgot)
  local tick = stamp(r[1])
  if id == '' then
    -- Then only what the server forgot tells of a restart. In a hold that was
    -- opened for it, those who find the same have nothing to add.
    if forgot and now >= (stamp(r[3]) or 0) then return because('perhaps-restarted') end
  elseif r[2] ~= id then return because('restarted') end
  if epoch ~= '' and epoch ~= r[4] then return because('other-data') end
  if now - tick > 3000 then return because('unwatched', 'seconds', int((now - tick) / 1000)) end
  if tick - now > 500 then return because('clock-back') end
  if expected == '' then
    if now - tick > 500 + shortest(ttl) / 10 then return because('unwatched') end
  elseif math.abs(now - tonumber(expected)) > 500 then
    return because('clock-jumped')
  end
  return nil
end

-- fence returns the epoch of the data, or nil if the clock seems to have jumped
-- and the caller is not sure: its call may just have been slow on the way.
local function fence(expected, epoch, ttl, beat, unsure, forgot)
  local reaper = ns .. 'reaper'
  local r = redis.call('HMGET', reaper, 'tick', 'run_id', 'until', 'epoch')
  local id, current, why, wait = run_id(), r[4], nil, nil
  if stamp(r[1]) and current then
    why = suspect(r, id, expected, epoch, ttl, forgot)
    if unsure and why == because('clock-jumped') then return nil end
  else
    current = int(now_us) .. '-' .. nonce
    redis.call('HSET', reaper, 'epoch', current)
    why = because('empty')
    if epoch == '' and redis.call('ZCARD', ns .. 'hosts:lease') == 0 then
      why, wait = because('first-start'), 2 * beat + 1000
    end
  end
  if why then
    if not wait then
      local t, b = longest(ttl, beat)
      wait = t + 2 * b
    end
    redis.call('HSET', reaper, 'until', int(now + wait), 'reason', why, 'run_id', id ~= '' and id or r[2] or '')
    redis.call('HDEL', reaper, 'mass_since', 'mass_until')
    reconcile_hosts()
    event('hold', '', '', '', '', because('hold', 'cause', why, 'ms', int(wait)))
  end
  redis.call('HSET', reaper, 'tick', int(now))
  return current
end
