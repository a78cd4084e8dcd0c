-- jobs: what comes after an instance whose child ran and is gone. A job is an instance of its
-- stream, <job>~<id>; its id is the digest of what it comes after, so that to tell an end twice
-- makes one. jobs:made remembers the ids of all. Nobody wants a job and nothing unwants it.
-- lazy
-- include: event
-- include: slot

-- after_slot reads from the items of a chain (JSON) the jobs that come after a slot or a job, in
-- the order of names; each is for each item, or for the end. A chain without jobs costs a search.
local function after_slot(items, slot, each)
  local list = {}
  if not items or not string.find(items, '"of":', 1, true) then return list end
  local fine, all = pcall(cjson.decode, items)
  for name, item in pairs(fine and type(all) == 'table' and all or {}) do
    if type(item) == 'table' and item.of == slot and (item.each == 'item') == each then
      list[#list + 1] = { name = name, item = item, type = item.type or name }
    end
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- job_name is the name of a job after a token (after a job: its name), for one item or, with '', the end.
local function job_name(job, token, item)
  return job .. '~' .. string.sub(server.sha1hex(job .. '|' .. token .. '|' .. item), 1, 16)
end

local function id_of(instance) return string.match(instance, '~(%x+)$') end

-- reads_of gives what a job is to know of an instance by its record and that of its stream: what
-- it published as of:<name>, what the stream says as stream:<name> and source:<name>. A job
-- hands on what it knows.
local function reads_of(key, instance)
  local known = {}
  local rows = redis.call('HGETALL', ns .. 'stream:' .. key .. ':' .. instance)
  for i = 1, #rows, 2 do
    local scope, name = string.match(rows[i], '^(%l+):(.+)$')
    if is_job(instance) then
      if scope == 'of' or scope == 'stream' or scope == 'source' then known[rows[i]] = rows[i + 1] end
    elseif scope == 'var' then known['of:' .. name] = rows[i + 1] end
  end
  return known
end

-- valued tells whether a field of a stream is one of its own values.
local function valued(field)
  return not string.find(' key chain items source priority ', ' ' .. field .. ' ', 1, true) and not string.find(field, ':', 1, true)
end

local function reads_of_stream(key, known)
  local rows = redis.call('HGETALL', ns .. 'stream:' .. key)
  for i = 1, #rows, 2 do
    if string.sub(rows[i], 1, 7) == 'source:' then known[rows[i]] = rows[i + 1]
    elseif valued(rows[i]) then known['stream:' .. rows[i]] = rows[i + 1] end
  end
  return known
end

-- make puts one job in line, if it was not made before. end_of says what it comes after: instance, token,
-- host, and known (fields that it gets). It stays with the files, on that host, unless
-- its item says otherwise. It tells whether it made one.
local function make(key, job, end_of, item)
  local instance = job_name(job.name, end_of.token, item)
  local at, line = ns .. 'stream:' .. key .. ':' .. instance, member(key, instance)
  if redis.call('ZADD', ns .. 'jobs:made', 'NX', int(now), id_of(instance)) == 0 or sound(at) then return false end
  local fields = { 'state', 'pending', 'type', job.type, 'host', '', 'token', '', 'born', int(now), 'since', int(now),
    'score', int(JOBS + now), 'reason', '', 'restarts', '0', 'tries', '0', 'copy', '1', 'job', job.name, 'of', end_of.instance, 'oftoken', end_of.token }
  local function put(field, value)
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  for field, value in pairs(end_of.known) do put(field, value) end
  if item ~= '' then put('of:item', item) end
  if type(job.item.vars) == 'table' then put('vars', cjson.encode(job.item.vars)) end
  if not job.item.host then put('only', end_of.host)
  elseif job.item.host ~= 'any' then put('labels', cjson.encode(job.item.host)) end
  redis.call('HSET', at, unpack(fields))
  enlist(job.type, key, instance)
  redis.call('SADD', ns .. 'types:wanted', job.type)
  redis.call('ZADD', ns .. 'pending:' .. job.type, int(JOBS + now), line)
  event('job', key, instance, end_of.host, end_of.token, because('after', 'instance', end_of.instance))
  wake('pending ' .. job.type)
  return true
end

-- tell_end adds what is known of an end itself: times in whole seconds, the reason by its code.
local function tell_end(known, host, reason, began, till)
  known['of:host'], known['of:reason'] = host, string.match(reason, '^%S+') or ''
  known['of:began'], known['of:ended'] = int(math.floor(began / 1000)), int(math.floor(till / 1000))
  return known
end

-- ended makes the jobs after an instance that ends under a token, while its record still says what
-- it was. ran is that field: since when its child ran first; nothing comes after what never did.
-- What comes after a job does when it is done.
local function ended(key, instance, host, token, reason, ran, till)
  if not ran or is_job(instance) then return end
  local known
  for _, job in ipairs(after_slot(redis.call('HGET', ns .. 'stream:' .. key, 'items'), slot_of(instance), false)) do
    known = known or tell_end(reads_of_stream(key, reads_of(key, instance)), host, reason, stamp(ran) or now, till or now)
    make(key, job, { instance = instance, token = token, host = host, known = known }, '')
  end
end

-- unmake takes back the jobs that were made for the end of a token that is not over after all, but for
-- those that have begun. Its end is told anew.
local function unmake(key, slot, token)
  for _, job in ipairs(after_slot(redis.call('HGET', ns .. 'stream:' .. key, 'items'), slot, false)) do
    local instance = job_name(job.name, token, '')
    local s = redis.call('HMGET', ns .. 'stream:' .. key .. ':' .. instance, 'state', 'host', 'type', 'ran', 'token')
    if not s[4] and (s[1] == 'pending' or s[1] == 'assigned') then
      if s[1] == 'assigned' then give_back(s[3], key, instance, s[2]) end
      forget(s[3], key, instance)
      redis.call('ZREM', ns .. 'jobs:made', id_of(instance))
      event('job-removed', key, instance, s[2], s[5], because('not-ended'))
    end
  end
end

-- remember has a stream known as one that is gone, for the sake of its jobs, where the store knows
-- nothing of it; items are those of its chain (JSON).
local function remember(key, items)
  local stream = ns .. 'stream:' .. key
  if redis.call('HEXISTS', stream, 'key') == 1 then return end
  redis.call('HSET', stream, 'key', key, 'chain', '[]', 'priority', '0', 'source', '', 'sys:gone', int(now))
  if items ~= '' then redis.call('HSET', stream, 'items', items) end
  redis.call('ZADD', ns .. 'streams', 0, key)
  mark(key)
end

-- finished writes down that a job is done, and makes what comes after it, once whoever tells it again.
-- began and till are ms, of the child that did it; known is what it knew.
local function finished(key, instance, stype, host, code, began, till, known)
  local at, line, slot = ns .. 'job:' .. key .. ':' .. instance, member(key, instance), slot_of(instance)
  sound(at)
  redis.call('HSET', at, 'type', stype, 'host', host, 'code', code, 'began', int(began), 'ended', int(till),
    'of', redis.call('HGET', ns .. 'stream:' .. key .. ':' .. instance, 'of') or '', 'ofhost', known['of:host'] or '', 'item', known['of:item'] or '')
  if redis.call('ZADD', ns .. 'jobs:done', int(now), line) == 1 then
    event('job-done', key, instance, host, '', because('took', 'seconds', string.format('%.1f', (till - began) / 1000)))
  end
  for _, job in ipairs(after_slot(redis.call('HGET', ns .. 'stream:' .. key, 'items'), slot, false)) do
    make(key, job, { instance = instance, token = instance, host = host, known = tell_end(known, host, 'done', began, till) }, '')
  end
end

-- fail takes a job out of line for good, until an operator says otherwise. on is where it failed.
local function fail(stype, key, instance, on, reason)
  local at = ns .. 'stream:' .. key .. ':' .. instance
  redis.call('HSET', at, 'state', 'failed', 'host', '', 'token', '', 'since', int(now), 'reason', reason, 'on', on)
  redis.call('HDEL', at, 'assigned', 'sending', 'speed', 'fps', 'stale', 'up', 'phase', 'restart', 'ran', 'move')
  redis.call('ZREM', ns .. 'pending:' .. stype, member(key, instance))
  event('job-failed', key, instance, on, '', reason)
end
