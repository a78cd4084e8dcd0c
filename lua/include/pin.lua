-- pin: pinned() gives the host that an operator pinned the slot to, or nil. Its successor is
-- pinned with it.
local function pinned(key, slot)
  return redis.call('HGET', ns .. 'override:' .. key, 'pin:' .. (string.match(slot, '^(.*)~next$') or slot)) or nil
end
