-- spare: what of a host jobs may have. Live slots come first: while one waits for room in a
-- service, or in a pool, no job takes any of it there. And of each pool jobs never hold more than
-- their share: pool_jobs of its host, else half of it, rounded down but at least 1.
-- lazy
-- include: names
-- include: index

-- jobs_on counts the jobs that a host has of a type.
local function jobs_on(stype, host)
  local n = 0
  for _, row in ipairs(redis.call('ZRANGE', ns .. 'slots:' .. host, '[' .. stype .. '|', '(' .. stype .. '}', 'BYLEX')) do
    if is_job(string.match(row, '([^|]*)$')) then n = n + 1 end
  end
  return n
end

-- shares tells whether one job more of a type leaves all within their share of the host's pools.
local function shares(stype, host, view)
  local said, taken = amounts(redis.call('HGET', ns .. 'host:' .. host, 'pool_jobs')) or {}, {}
  local uses = view.users[stype] and view.users[stype].uses or {}
  for other, v in pairs(view.users) do
    local n = v.uses and meets(v.uses, uses) and jobs_on(other, host) or 0
    for pool, amount in pairs(v.uses or {}) do taken[pool] = (taken[pool] or 0) + n * amount end
  end
  for pool, amount in pairs(uses) do
    local most = said[pool] or math.max(1000, math.floor((view.size[pool] or 0) / 2000) * 1000)
    if amount > 0 and (taken[pool] or 0) + amount > most then return false end
  end
  return true
end

-- spare tells whether a host has something for a job of a type. weighed are the types of whose slots the
-- caller knows which hosts they wait for; one that he has not seen may wait for this one. view
-- are the host's pools if the type uses any.
local function spare(stype, host, view, weighed)
  local function seen(other)
    return weighed[other] or redis.call('ZCOUNT', ns .. 'pending:' .. other, '-inf', '(' .. int(JOBS)) == 0
  end
  if not seen(stype) then return false end
  for _, other in ipairs(view and view.types or {}) do
    if other ~= stype and meets(view.users[other].uses, view.users[stype] and view.users[stype].uses) and not seen(other) then return false end
  end
  return not view or shares(stype, host, view)
end
