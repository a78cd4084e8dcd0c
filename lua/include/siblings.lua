-- siblings: the hosts of the other copies of an instance's slot, in whatever state
-- these are, each with the instance that is there.
-- lazy
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

-- label reads one label of a host, nil for none: {"site":"ber"}.
local function label(host, name)
  local said = redis.pcall('HGET', ns .. 'host:' .. host, 'labels')
  return type(said) == 'string' and string.match(said, '"' .. name .. '"%s*:%s*"([^"]*)"') or nil
end

-- barred gives what an instance may not share with the other copies of its slot: their
-- hosts, and the values that the label has there by which they are apart, each with who
-- is there. A host without the label stands alone; what it is to follow makes room for it.
local function barred(key, instance, apart)
  local hosts, values = siblings(key, instance), {}
  if apart == 'host' then return hosts, values end
  local follows = redis.call('HGET', ns .. 'stream:' .. key .. ':' .. instance, 'follows')
  for host, name in pairs(hosts) do
    local value = name ~= follows and label(host, apart)
    if value then values[value] = { name = name, host = host } end
  end
  return hosts, values
end

-- spared gives the host that an operator lets a copy share with others, for now; nil: none.
-- anyway is the record's field.
local function spared(anyway) return string.match(anyway or '', '^%S+') end

-- avoid_copies adds the hosts that other copies keep an instance off to those that are
-- avoided, of which there are n. It gives how many are named now.
local function avoid_copies(key, instance, apart, avoided, n)
  local hosts, values = barred(key, instance, apart)
  for host in pairs(hosts) do
    if not avoided[host] then avoided[host], n = true, n + 1 end
  end
  if next(values) then
    setmetatable(avoided, { __index = function(_, host) return values[label(host, apart) or 0] end })
  end
  return n
end

-- keeps_off gives the copy, with its host, that keeps an instance off a host; nil: none.
local function keeps_off(host, apart, hosts, values)
  if hosts[host] then return { name = hosts[host], host = host } end
  if not next(values) then return nil end
  local value = label(host, apart)
  return value and values[value]
end
