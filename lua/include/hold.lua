-- hold: held() says why nothing may be taken or given now, and until when if that
-- is known (ms), or nil. A reaper tick that is missing, old or from the future means that nobody has looked
-- at this store yet in its present life: then it is held too.
local function held()
  local r = redis.call('HMGET', ns .. 'reaper', 'tick', 'until', 'mass_until', 'reason')
  local tick = stamp(r[1])
  if not tick then return 'no scheduler has looked at this store yet' end
  if now - tick > 3000 then return 'no scheduler has looked for 3 s' end
  if tick - now > 500 then return 'the clock went back' end
  if now < (stamp(r[2]) or 0) then return r[4] or 'hold', stamp(r[2]) end
  if now < (stamp(r[3]) or 0) then return 'most hosts lapsed at once', stamp(r[3]) end
  return nil
end
