-- assert: a host tells the store what it runs, after the store lost data or
-- the host was away. What a holder says wins over an instance that waits or whose
-- start nobody claimed; over an absent one only during a hold, when the store
-- may have forgotten it; over another holder only with the higher token number. What
-- comes after a token is taken back with it, as far as it has not begun.
-- KEYS: none. Touches reaper, host:<host>, stream:<key>, stream:<key>:<slot>,
--   stream:<key>:<instance>, streams,
--   announced:<source>, missing:<source>, source:<source>, sources, token, dirty,
--   pending:<type>, hosts:lease,
--   outbox, slots:<host>, service:<type>:<host>, load:<type>:<class>, requeue, jobs, jobs:made, types:wanted, events.
-- ARGV: ns, actor, host, incarnation, key, instance, type, token, source, announcement
--   (JSON, '' for none), chain (JSON), priority, copy (its number, 0: not known), with (its target, '' for none), ran (1: its
--   child ran under this token), n, n pairs of field and value of
--   the stream's record (of a job: of its own, and the items of its stream's), m, m pairs of published name and value.
-- RETURN: {'ok', state} (it is this host's) | {'end', why} (end the child) |
--   {'stale'} (another life of the host speaks).
-- TWICE: after the first it is this host's under this token: 'ok'.
local ns, actor, host, incarnation, key, instance = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local stype, token, source, announcement, chain, priority = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], tonumber(ARGV[12])
local copy, with, ran, n = tonumber(ARGV[13]), ARGV[14], ARGV[15] == '1', tonumber(ARGV[16])
local FIRST = 17
-- include: now
-- include: ample
-- include: hold
-- include: event
-- include: index
-- include: account
-- include: leases
-- include: slot
-- include: jobs

local h = redis.call('HMGET', ns .. 'host:' .. host, 'incarnation', 'state')
if h[1] ~= incarnation or h[2] == 'down' then return { 'stale' } end

local stream, slot, job = ns .. 'stream:' .. key, slot_of(instance), is_job(instance)
local at = stream .. ':' .. instance
local s = redis.call('HMGET', at, 'state', 'host', 'token', 'ran')
local function number(t) return stamp(string.match(t or '', '^(%d+)%-')) or 0 end
if s[3] == token and s[2] == host and (s[1] == 'running' or s[1] == 'stopping') then
  hold_on(stype, key, instance, host)
  return { 'ok', s[1] }
end
local hold = held()
if not s[1] and not hold then return { 'end', because('unwanted') } end
if (s[1] == 'running' or s[1] == 'stopping') and number(token) <= number(s[3]) then
  event('lost', key, called(key, instance), host, token, because('held-elsewhere', 'host', s[2]))
  return { 'end', because('held-elsewhere', 'host', s[2]) }
end

-- From here on the record is made to say what the holder says.
-- A holder in what looked like a first start says that it was none: others
-- may hold something too and must have the time to say so.
if hold == because('first-start') then
  local ttl, beat = longest(0, 0)
  redis.call('HSET', ns .. 'reaper', 'until', int(now + ttl + 2 * beat), 'reason', because('store-forgot'))
end
if s[2] and s[2] ~= '' then
  if s[3] ~= token then ended(key, instance, s[2], s[3], because('held-elsewhere', 'host', host), s[4]) end
  give_back(stype, key, instance, s[2])
end
redis.call('ZREM', ns .. 'pending:' .. stype, member(key, instance))
redis.call('ZREM', ns .. 'outbox', member(key, instance))

if number(token) > (stamp(redis.call('GET', ns .. 'token')) or 0) then redis.call('SET', ns .. 'token', int(number(token))) end

local function fill(record)
  for i = 0, n - 1 do redis.call('HSET', record, ARGV[FIRST + 2 * i], ARGV[FIRST + 2 * i + 1]) end
end
if job then
  if not s[1] then fill(at) end
  remember(key, redis.call('HGET', at, 'items') or '')
  redis.call('HDEL', at, 'items')
  redis.call('ZADD', ns .. 'jobs:made', 'NX', int(now), id_of(instance))
elseif redis.call('EXISTS', stream) == 0 or redis.call('HGET', stream, 'chain') == '[]' then
  redis.call('HSET', stream, 'key', key, 'chain', chain, 'priority', int(priority), 'source', source)
  redis.call('HDEL', stream, 'sys:gone') -- a job of it spoke first
  fill(stream)
  redis.call('ZADD', ns .. 'streams', 0, key)
end
-- The source may be silent for a while yet. What it announced comes back as
-- missing since now, so that it ends in due time if nobody lists it.
if announcement ~= '' and not job and redis.call('HSETNX', ns .. 'announced:' .. source, key, announcement) == 1 then
  -- Nobody polls what was announced by hand, so nobody could list it again.
  if source ~= 'manual' then redis.call('HSETNX', ns .. 'missing:' .. source, key, int(now)) end
  redis.call('HSET', ns .. 'source:' .. source, 'version', int(now_us) .. '-assert')
  if source == 'manual' then redis.call('HSET', ns .. 'source:' .. source, 'state', 'good', 'last_good', int(now)) end
  redis.call('SADD', ns .. 'sources', source)
end
mark(key)

redis.call('HSET', at, 'state', 'running', 'type', stype, 'host', host, 'token', token, 'since', int(now), 'reason', '')
redis.call('HSETNX', at, 'born', int(now))
if job then redis.call('HSETNX', at, 'score', int(JOBS + now)) end
redis.call('HSETNX', at, 'score', int((899 - priority) * 10000000000000 + (copy > 1 and 5000000000000 or 0) + now))
redis.call('HSETNX', at, 'restarts', '0')
if copy > 0 then redis.call('HSET', at, 'copy', int(copy)) else redis.call('HSETNX', at, 'copy', '1') end
if with ~= '' and not s[1] then redis.call('HSET', at, 'with', with) end
redis.call('HDEL', at, 'assigned', 'sending')
if s[3] ~= token then redis.call('HDEL', at, 'ran') end
if ran then redis.call('HSETNX', at, 'ran', int(now)) end
local m = FIRST + 2 * n
for i = 1, tonumber(ARGV[m]) do redis.call('HSET', at, 'var:' .. ARGV[m + 2 * i - 1], ARGV[m + 2 * i]) end
hold_on(stype, key, instance, host)
enlist(stype, key, instance)

-- A store that forgot the stream may have put another of the slot in line. That was
-- for want of this one, if it has its number.
if not s[1] and number_of(instance) > 0 then
  local own = redis.call('HGET', at, 'copy')
  for name in instances_of(key, slot) do
    local o = redis.call('HMGET', stream .. ':' .. name, 'state', 'host', 'type', 'follows', 'copy')
    if number_of(name) > 0 and not o[4] and (o[5] or '1') == own and (o[1] == 'pending' or o[1] == 'assigned') then
      if o[1] == 'assigned' then give_back(o[3], key, name, o[2]) end
      forget(o[3], key, name)
    end
  end
end
local vars, any = variables(at)
settle(key, slot, because('ready'))
if any and redis.call('HGET', stream .. ':' .. slot, 'lead') == instance then replace(stream .. ':' .. slot, vars) end
if not job then unmake(key, slot, token) end
event('asserted', key, called(key, instance), host, token, because('was', 'state', s[1] or 'absent'))
return { 'ok', 'running' }
