-- gap: since when nothing runs of a slot of which something ran. The slot keeps the time
-- as dark, from the moment its last running instance ended, or was last heard of, until
-- one of its instances runs; then the event gap says for how long. A handover whose new
-- instance ran before the old one ended leaves none.
-- lazy
-- include: event
-- include: names
-- include: instances

-- lit tells whether the child of an instance runs and others may build on it; v is its
-- state, phase and up.
local function lit(v) return (v[1] == 'running' or v[1] == 'stopping') and (v[2] or '') == '' and (v[3] or '') ~= '' end

-- darken notes that an instance that was lit is so no more, since a time, if it was the
-- last one of its slot.
local function darken(key, instance, since)
  if is_job(instance) then return end -- nobody waits for its output
  local stream, slot = ns .. 'stream:' .. key, slot_of(instance)
  for name in instances_of(key, slot) do
    local other = stream .. ':' .. name
    if name ~= instance and sound(other) and lit(redis.call('HMGET', other, 'state', 'phase', 'up')) then return end
  end
  redis.call('HSETNX', stream .. ':' .. slot, 'dark', int(since))
end

-- lighten ends it: an instance, with that name, is lit since some ms.
local function lighten(key, instance, name, host, token, ago)
  local at = ns .. 'stream:' .. key .. ':' .. slot_of(instance)
  local since = stamp(redis.call('HGET', at, 'dark'))
  if not since then return end
  redis.call('HDEL', at, 'dark')
  local seconds = (now - ago - since) / 1000
  if seconds > 0 then event('gap', key, name, host, token, because('gap', 'seconds', string.format('%.1f', seconds))) end
end
