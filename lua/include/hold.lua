-- hold: held() says why nothing may be taken or given now, and until when if that
-- is known (ms), or nil. A reaper tick that is missing, old or from the future means that nobody has looked
-- at this store yet in its present life: then it is held too.
local function held()
  local r = redis.call('HMGET', ns .. 'reaper', 'tick', 'until', 'mass_until', 'reason')
  local tick = stamp(r[1])
  if not tick then return because('never-watched') end
  if now - tick > 3000 then return because('unwatched', 'seconds', '3') end
  if tick - now > 500 then return because('clock-back') end
  if now < (stamp(r[2]) or 0) then return r[4] or because('hold'), stamp(r[2]) end
  if now < (stamp(r[3]) or 0) then return because('mass-lapse'), stamp(r[3]) end
  return nil
end
