-- outbox: takes reservations whose start is due to be sent (again).
-- KEYS: none. Touches reaper, outbox, stream:<key>:<instance>.
-- ARGV: ns, actor, resend (ms until it is due again), limit (ms after which an
--   unclaimed reservation is overdue), n (rows at most).
-- RETURN: {'ok', now, ms until the next is due (-1: none), rows}; a row is {key, instance,
--   type, host, token, sending, overdue (1 or 0)}. Nothing is overdue in a hold.
-- TWICE: what was taken is due again only after resend.
local ns, actor, resend, limit, n = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
-- include: now
-- include: hold
-- include: split

-- A start cannot be claimed in a hold, so its time runs from the end of one.
local outbox, rows, hold = ns .. 'outbox', {}, held()
local open = stamp(redis.call('HGET', ns .. 'reaper', 'until')) or 0
local due = redis.call('ZRANGE', outbox, '-inf', int(now), 'BYSCORE', 'LIMIT', 0, n)
-- Due later than a resend from now: written before the clock went back.
for _, line in ipairs(redis.call('ZRANGE', outbox, '(' .. int(now + resend), '+inf', 'BYSCORE', 'LIMIT', 0, n)) do
  due[#due + 1] = line
end
for _, line in ipairs(due) do
  local key, instance = split_member(line)
  local at = ns .. 'stream:' .. (key or '') .. ':' .. (instance or '')
  local s = redis.call('HMGET', at, 'state', 'type', 'host', 'token', 'assigned')
  if s[1] ~= 'assigned' then
    redis.call('ZREM', outbox, line)
  else
    local given = stamp(s[5]) or 0
    local overdue = not hold and (now - math.max(given, open) > limit or given > now + limit)
    redis.call('ZADD', outbox, int(now + resend), line)
    local sending = redis.pcall('HINCRBY', at, 'sending', 1)
    if type(sending) ~= 'number' then -- edited by hand
      sending = 1
      redis.call('HSET', at, 'sending', '1')
    end
    rows[#rows + 1] = { key, instance, s[2], s[3], s[4], int(sending), overdue and '1' or '0' }
  end
end
local next = redis.call('ZRANGE', outbox, 0, 0, 'WITHSCORES')
return { 'ok', int(now), next[2] and int(math.max(0, tonumber(next[2]) - now)) or '-1', rows }
