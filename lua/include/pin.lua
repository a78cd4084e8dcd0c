-- pin: pinned() gives the host that an operator pinned the slot of the instance to, or nil.
-- lazy
-- include: names
local function pinned(key, instance)
  return redis.call('HGET', ns .. 'override:' .. key, 'pin:' .. slot_of(instance)) or nil
end
