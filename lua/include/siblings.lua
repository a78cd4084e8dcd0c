-- siblings: the hosts of the other copies of an instance's slot, in whatever state
-- these are, each with the instance that is there.
-- include: instances
-- include: names
local function siblings(key, instance)
  local stream, slot, hosts = ns .. 'stream:' .. key, slot_of(instance), {}
  for name in instances_of(key, slot) do
    if name ~= instance then
      local host = redis.call('HGET', stream .. ':' .. name, 'host')
      if host and host ~= '' then hosts[host] = name end
    end
  end
  return hosts
end
