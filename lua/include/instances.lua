-- instances: instances_of() walks over the names of a slot's instances, the oldest first.
local function instances_of(key, slot)
  return string.gmatch(redis.call('HGET', ns .. 'stream:' .. key .. ':' .. slot, 'instances') or '', '%S+')
end
