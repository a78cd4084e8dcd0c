-- lead: which instance of a slot leads. stream:<key>:<slot> names its instances and
-- the one that leads, or led last; it has the state and host of that one, and as
-- var:<name> what the slot says to the others of its stream: its lead's, kept until
-- another lead's replace them.
-- lazy
-- include: dependants
-- include: instances
-- include: mirror
-- include: again

-- called is shown for who has not read the list.
local function called(key, instance)
  return shown(instance, redis.call('HGET', ns .. 'stream:' .. key .. ':' .. slot_of(instance), 'instances'))
end

-- number_of gives n of <slot>.<n>, 0 for other forms.
local function number_of(instance) return tonumber(string.match(instance, '%.(%d+)$')) or 0 end

-- enlist makes an instance one of its slot's. The first one leads. A job is its stream's alone.
local function enlist(stype, key, instance)
  local stream, slot = ns .. 'stream:' .. key, slot_of(instance)
  local at, last = stream .. ':' .. slot, 'last:' .. slot
  redis.call('HSET', stream, 'instance:' .. instance, stype)
  if is_job(instance) then return redis.call('ZADD', ns .. 'jobs', 'NX', int(now), member(key, instance)) end
  if number_of(instance) > (stamp(redis.call('HGET', stream, last)) or 0) then
    redis.call('HSET', stream, last, int(number_of(instance)))
  end
  sound(at)
  local s = redis.call('HMGET', at, 'instances', 'lead')
  local names = s[1] or ''
  if not string.find(' ' .. names .. ' ', ' ' .. instance .. ' ', 1, true) then
    for name in string.gmatch(names, '%S+') do redis.call('HDEL', stream .. ':' .. name, 'alone') end
    names = names == '' and instance or names .. ' ' .. instance
  end
  if names == instance then redis.call('HSET', stream .. ':' .. instance, 'alone', '1') end
  redis.call('HSET', at, 'type', stype, 'instances', names, 'lead', s[2] or instance)
end

-- delist takes an instance off; with the last of them the slot is gone. It gives how many are left.
local function delist(key, instance)
  local stream, slot = ns .. 'stream:' .. key, slot_of(instance)
  local at, left = stream .. ':' .. slot, {}
  redis.call('HDEL', stream, 'instance:' .. instance)
  if is_job(instance) then
    redis.call('ZREM', ns .. 'jobs', member(key, instance))
    return 0
  end
  for name in instances_of(key, slot) do
    if name ~= instance then left[#left + 1] = name end
  end
  if #left == 0 then redis.call('DEL', at) else redis.call('HSET', at, 'instances', table.concat(left, ' ')) end
  if #left == 1 and redis.call('EXISTS', stream .. ':' .. left[1]) == 1 then
    redis.call('HSET', stream .. ':' .. left[1], 'alone', '1')
  end
  return #left
end

-- variables reads the var:<name> of a record or a slot, and whether there are any.
local function variables(at)
  local vars, any, rows = {}, false, redis.call('HGETALL', at)
  for i = 1, #rows, 2 do
    if string.sub(rows[i], 1, 4) == 'var:' then vars[rows[i]], any = rows[i + 1], true end
  end
  return vars, any
end

-- replace makes the variables of a record or a slot those given, and tells whether
-- any was another.
local function replace(at, fresh)
  local changed, old = false, variables(at)
  for field in pairs(old) do
    if not fresh[field] then
      redis.call('HDEL', at, field)
      changed = true
    end
  end
  for field, value in pairs(fresh) do
    if old[field] ~= value then
      redis.call('HSET', at, field, value)
      changed = true
    end
  end
  return changed
end

-- ready tells whether an instance does what its slot does: its child is up, and it
-- publishes whatever the slot says. v is its state, phase and up. This is the place
-- for what readiness is to ask besides.
local function ready(at, v, says)
  if v[1] ~= 'running' or (v[2] or '') ~= '' or not v[3] then return false end
  local own = variables(at)
  for field in pairs(says) do
    if not own[field] then return false end
  end
  return true
end

-- crown has an instance lead, and the slot say what it publishes, if it does.
-- Returns rows of update commands.
local function crown(key, slot, instance, why)
  local stream, updates = ns .. 'stream:' .. key, {}
  local at, own = stream .. ':' .. slot, stream .. ':' .. instance
  local s = redis.call('HMGET', at, 'lead', 'instances')
  local v = redis.call('HMGET', own, 'state', 'host', 'token')
  redis.call('HSET', at, 'lead', instance, 'state', v[1], 'host', v[2])
  if v[1] ~= 'running' then return updates end
  local vars, any = variables(own)
  if any and replace(at, vars) then updates = dependants(key, slot) end
  bump(v[2])
  local old = s[1] and s[1] ~= instance and redis.call('HGET', stream .. ':' .. s[1], 'host')
  if old and old ~= '' then bump(old) end
  event('leads', key, shown(instance, s[2]), v[2], v[3], why)
  wake('vars ' .. key)
  return updates
end

-- settle finds out who leads, after whatever may change that. A lead that runs stays
-- it, unless it has not been ready for long; one that was taken back gives way
-- to one that is ready, one that ends or is gone to whatever there is. Nobody leads
-- again only because he did before. Returns rows of update commands.
local function settle(key, slot, why)
  local stream = ns .. 'stream:' .. key
  local at = stream .. ':' .. slot
  local s = redis.call('HMGET', at, 'lead', 'instances')
  local function read(name)
    local own = stream .. ':' .. name
    return sound(own) and redis.call('HMGET', own, 'state', 'phase', 'up', 'host', 'since') or {}
  end
  local was = s[1] and read(s[1]) or {}
  if not string.find(s[2] or '', ' ', 1, true) and was[1] then -- it is alone
    mirror(key, slot, s[1], true, was[1], was[4] or '')
    return {}
  end
  local says = variables(at)
  local least = 4 -- only what is ready
  if was[1] == 'running' then
    local fit, till = ready(stream .. ':' .. s[1], was, {}), (stamp(was[5]) or 0) + PATIENCE
    if fit or now < till then
      mirror(key, slot, s[1], true, was[1], was[4])
      if not fit then again(key, till) end
      return {}
    end
  elseif was[1] ~= 'pending' and was[1] ~= 'assigned' then
    least = was[1] and 1 or 0.5 -- of what is gone nothing can be shown
  end
  local best, rank = nil, 0
  for name in string.gmatch(s[2] or '', '%S+') do
    if name ~= s[1] then
      local v, r = read(name), 0
      if ready(stream .. ':' .. name, v, says) then r = 4
      elseif v[1] == 'running' then r = 3
      elseif v[1] == 'assigned' then r = 2
      elseif v[1] == 'pending' then r = 1
      elseif v[1] then r = 0.5 end
      if r > rank then best, rank = name, r end
    end
  end
  if best and rank >= least then return crown(key, slot, best, why) end
  if was[1] then mirror(key, slot, s[1], true, was[1], was[4] or '') end
  return {}
end
