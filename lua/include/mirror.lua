-- mirror: what a slot shows of its lead, and what people see of an instance. A record
-- that says alone is the only one of its slot, so it leads, and most steps need not
-- read the slot.
-- include: names

-- shown is what people see of an instance: its slot while it is alone, a job by its name.
-- list is the field instances of its slot.
local function shown(instance, list)
  if list and string.find(list, ' ', 1, true) or is_job(instance) then return instance end
  return slot_of(instance)
end

-- mirror has the slot show what its lead has become. It gives what people see of the
-- instance, and whether it leads. A job leads nothing and has no slot that would show it.
local function mirror(key, slot, instance, alone, state, host)
  local at, name, leads = ns .. 'stream:' .. key .. ':' .. slot, slot, true
  if not alone then
    if is_job(instance) then return instance, false end
    local s = redis.call('HMGET', at, 'lead', 'instances')
    name, leads = shown(instance, s[2]), s[1] == instance
  end
  if leads then redis.call('HSET', at, 'state', state, 'host', host) end
  return name, leads
end
