-- ended: a host tells of an end that the store may not know: of an instance that it lost, or got no
-- answer for, or that another life of the store was told of. The jobs after it are made, in a hold,
-- too. Of a job it tells that it is done; if it waits, it waits no more.
-- KEYS: none. Touches host:<host>, stream:<key>, stream:<key>:<instance>, streams, jobs, jobs:made, jobs:done,
--   job:<key>:<instance>, types:wanted, pending:<type>, outbox, slots:<host>, service:<type>:<host>,
--   load:<type>:<class>, dirty, requeue, events.
-- ARGV: ns, actor, host, incarnation, key, instance, type, token, reason, began, till (ms of the server's
--   clock, as far as the host knows), done (of a job: the code it ended with, '' for not done), items
--   (JSON, of its chain), n, n pairs of field and value of the stream's record (of a job: of its own), m, m pairs
--   of published name and value, k, k items that were not told yet.
-- RETURN: {'ok', jobs that were made} | {'stale'} (another life of the host speaks).
-- TWICE: jobs:made knows what was made: nothing is made.
local ns, actor, host, incarnation, key, instance, stype, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local reason, began, till, done, items, n = ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12], ARGV[13], tonumber(ARGV[14])
local FIRST = 15
-- include: now
-- include: event
-- include: index
-- include: account
-- include: slot
-- include: jobs

if redis.call('HGET', ns .. 'host:' .. host, 'incarnation') ~= incarnation then return { 'stale' } end
local at, slot, known, made = ns .. 'stream:' .. key .. ':' .. instance, slot_of(instance), {}, 0
local m = FIRST + 2 * n
local k = m + 1 + 2 * tonumber(ARGV[m])

if is_job(instance) then
  if done == '' then return { 'ok', 0 } end -- what comes after it does when it is done
  for i = 0, n - 1 do
    local scope = string.match(ARGV[FIRST + 2 * i], '^(%l+):')
    if scope == 'of' or scope == 'stream' or scope == 'source' then known[ARGV[FIRST + 2 * i]] = ARGV[FIRST + 2 * i + 1] end
  end
  if #after_slot(items, slot, false) > 0 then remember(key, items) end
  redis.call('ZADD', ns .. 'jobs:made', 'NX', int(now), id_of(instance))
  finished(key, instance, stype, host, done, began, till, known)
  local s = redis.call('HMGET', at, 'state', 'host')
  if s[1] == 'assigned' then give_back(stype, key, instance, s[2]) end
  if s[1] and s[1] ~= 'running' and s[1] ~= 'stopping' then forget(stype, key, instance) end
  return { 'ok', 0 }
end

for i = 0, n - 1 do
  local field = ARGV[FIRST + 2 * i]
  if string.sub(field, 1, 7) == 'source:' then known[field] = ARGV[FIRST + 2 * i + 1]
  elseif valued(field) then known['stream:' .. field] = ARGV[FIRST + 2 * i + 1] end
end
for i = 1, tonumber(ARGV[m]) do known['of:' .. ARGV[m + 2 * i - 1]] = ARGV[m + 2 * i] end
tell_end(known, host, reason, began, till)
local function follow(job, item)
  remember(key, items)
  if make(key, job, { instance = instance, token = token, host = host, known = known }, item) then made = made + 1 end
end
for _, job in ipairs(after_slot(items, slot, true)) do
  for i = 1, tonumber(ARGV[k]) do follow(job, ARGV[k + i]) end
end
for _, job in ipairs(after_slot(items, slot, false)) do follow(job, '') end
return { 'ok', made }
