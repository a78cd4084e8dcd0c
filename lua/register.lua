-- register: a host's runner begins or renews a life (an incarnation) and says
-- what it offers. It frees nothing: what the host held it holds still.
-- KEYS: none. Touches host:<host>, hosts, hosts:lease, unwell, slots:<host>,
--   service:<type>:<host>, load:<type>:<class>, classes:<type>, types, events, schema.
-- ARGV: ns, actor, host, incarnation, replaces (the incarnation it follows, ''
--   for none), host_id, ttl (ms), beat (ms), url, version, from, to (the layouts
--   it speaks), known (the one it last knew in force), lacks (what of its
--   file does not hold there, '' for nothing), labels (JSON, '' for none), pools, jobs (of pools; JSON objects
--   of thousandths, '' for none), n, then n services of 9: type, capacity ('' for no
--   limit), filter, url, needs, prefer, handover, places ('' for none: one slot each), uses (as pools).
-- RETURN: {'ok', now, rev, state} | {'taken', host_id, ms until its lease ends,
--   slots it holds} | {'changed', incarnation now there} | {'layout', the one in
--   force, which the host does not speak}.
-- TWICE: the same incarnation registers again with the same result.
local ns, actor, host, incarnation, replaces, host_id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local ttl, beat, url, version = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], ARGV[10]
local from, to, known, lacks, labels = tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13], ARGV[14], ARGV[15]
local shared, jobs, n = ARGV[16], ARGV[17], tonumber(ARGV[18])
local FIRST, WIDTH = 19, 9
-- include: now
-- include: ample
-- include: event
-- include: index
-- include: class
-- include: bound
-- include: weigh
-- include: rev
-- include: layout

local other = foreign(from, to, known)
if other then return { 'layout', other } end
local h, lease, slots = ns .. 'host:' .. host, ns .. 'hosts:lease', ns .. 'slots:' .. host
sound(h)
local old = redis.call('HMGET', h, 'incarnation', 'host_id', 'services', 'want', 'state', 'ttl')
if old[1] and old[1] ~= incarnation and old[1] ~= replaces then
  -- Its id lies under a lock in its state directory, so the same id means the
  -- same place and a dead predecessor; only the caller remembers another one.
  if old[2] == host_id then return { 'changed', old[1] } end
  local ends = tonumber(redis.call('ZSCORE', lease, host))
  if not ends and old[5] ~= 'down' then -- a hand took the lease away: it may live
    ends = now + (stamp(old[6]) or ttl)
    redis.call('ZADD', lease, int(ends), host)
  end
  local left = (ends or 0) - now
  local held = redis.call('ZCARD', slots)
  if left > 0 or held > 0 then return { 'taken', old[2] or '', int(left), held } end
end

-- offer writes what the file says, unless that is what it said before: what was set by
-- hand stays until the file's own value changes.
local function offer(at, field, value)
  if redis.call('HGET', at, 'file:' .. field) == value then return end
  if value == '' then redis.call('HDEL', at, field) else redis.call('HSET', at, field, value) end
  redis.call('HSET', at, 'file:' .. field, value)
end

local state = old[4] or 'up'
local offered, names = {}, {}
for i = 0, n - 1 do
  local at = FIRST + i * WIDTH
  local stype, capacity, filter, link = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  offered[stype], names[#names + 1] = true, stype
  local service = ns .. 'service:' .. stype .. ':' .. host
  sound(service)
  offer(service, 'capacity', capacity)
  offer(service, 'filter', filter)
  offer(service, 'url', link)
  offer(service, 'uses', ARGV[at + 8])
  redis.call('HDEL', service, 'withdrawn')
  redis.call('HSET', service, 'state', bound(service, state), 'needs', ARGV[at + 4], 'prefer', ARGV[at + 5], 'handover', ARGV[at + 6])
  reclass(stype, host, labels)
  local places = ARGV[at + 7]
  if places == '' then redis.call('HDEL', service, 'places') else redis.call('HSET', service, 'places', places) end
  redis.call('SADD', ns .. 'types', stype)
  atleast(stype, host)
end
for stype in string.gmatch(old[3] or '', '%S+') do
  if not offered[stype] then
    local service = ns .. 'service:' .. stype .. ':' .. host
    sound(service)
    redis.call('HSET', service, 'state', 'down', 'withdrawn', '1')
    atleast(stype, host)
    index(stype, host)
    if rows(stype, host) + beside_rows(stype, host) == 0 then redis.call('DEL', service) else names[#names + 1] = stype end
  end
end

redis.call('HSET', h, 'incarnation', incarnation, 'host_id', host_id, 'ttl', int(ttl), 'beat', int(beat),
  'url', url, 'version', version, 'layouts', spoken(from, to), 'services', table.concat(names, ' '), 'state', state, 'want', state, 'since', int(now))
redis.call('HDEL', h, 'reason')
for field, value in pairs({ lacks = lacks, labels = labels, pool_jobs = jobs }) do
  if value == '' then redis.call('HDEL', h, field) else redis.call('HSET', h, field, value) end
end
offer(h, 'pools', shared)
index_all(host, names)
local rev = bump(host)
redis.call('SADD', ns .. 'hosts', host)
redis.call('ZADD', lease, int(now + ttl), host)
if old[1] ~= incarnation or old[5] == 'down' then event('host-up', '', '', host, '', version ~= '' and because('version', 'version', version) or '') end
if old[1] ~= incarnation and lacks ~= '' then event('lacks', '', '', host, '', because('host-lacks', 'lacks', lacks)) end
for _, stype in ipairs(names) do
  weigh(stype)
  redis.call('PUBLISH', ns .. 'wake', 'room ' .. stype)
end
return { 'ok', int(now), int(rev), state }
