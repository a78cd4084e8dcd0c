-- rules: what the file of a poller says of a source is held against the rules in force. They give way to it if it was
-- made from them, if it asks for a higher version, or if there are none. What a poller remembers of them is told to a
-- store that lost them, and in a hold the highest version told wins, then the latest. Whose file differs is noted.
-- KEYS: none. Touches source:<source>, differs:<source>, reaper, events.
-- ARGV: ns, actor, source, host, polled (what the host asks), refused (why it can announce nothing, '' for no reason),
--   digest (of the rules in its file), text (canonical), wants (the version they ask for, 0 for none), fresh (1: the host
--   just started), base version (in force when its file last said the same, 0 for never), base digest, what (how its rules
--   differ from those it remembers), memory version (of what was in force when it last asked, 0 for never), memory digest,
--   memory by, memory at (ms), memory text.
-- RETURN: {'ok'} (the file says what is in force) | {'won', version, at} (it is in force now) |
--   {'differs', ms until it is to ask again, 0 for no matter when} | {'wait', ms} (nothing is in force; a hold) |
--   {'stale', version, digest, by, at, text} (others are in force than it remembers) | {'taken', identity, poller}.
-- TWICE: what won is in force the second time: 'ok'.
local ns, actor, source, host, polled, refused = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local own = { digest = ARGV[7], text = ARGV[8], by = host }
local wants, fresh = tonumber(ARGV[9]), ARGV[10] == '1'
local base = { version = tonumber(ARGV[11]), digest = ARGV[12] }
local what = ARGV[13]
local memory = { version = tonumber(ARGV[14]), digest = ARGV[15], by = ARGV[16], at = tonumber(ARGV[17]), text = ARGV[18] }
-- include: now
-- include: hold
-- include: event
-- include: ruling

local differs = ns .. 'differs:' .. source
local current = inforce(source)
local function same(a, b) return a.version == b.version and a.digest == b.digest end
local function agrees()
  if redis.call('HDEL', differs, 'at:' .. host, 'rules:' .. host, 'digest:' .. host, 'what:' .. host, 'refused:' .. host) > 0 then
    event('agrees', '', '', host, '', because('file-agrees', 'host', host, 'source', source))
  end
end

local hold, till = held()
local wait = hold and math.max(1, (till or now + 1000) - now) or 0
local better = memory.version > current.version or memory.version == current.version and memory.at > current.at
if memory.version > 0 and (current.version == 0 or hold and better) then
  rule(source, memory, because('rules-remembered', 'author', memory.by, 'host', host, 'source', source, 'version', int(memory.version)))
  current = memory
end
if current.version > 0 and not same(current, memory) then
  return { 'stale', int(current.version), current.digest, current.by, int(current.at), current.text }
end
if current.version == 0 and hold then return { 'wait', int(wait) } end

-- Who asks another ingest under this name has no say in what is announced of it.
local r = redis.call('HMGET', ns .. 'source:' .. source, 'identity', 'poller', 'last_good')
local same_ingest = not r[1] or r[1] == polled or string.sub(r[1], 1, #polled + 15) == polled .. ' with settings '
if refused == '' and not same_ingest and r[2] ~= host and math.abs(now - (stamp(r[3]) or 0)) < 15000 then
  return { 'taken', r[1], r[2] or '' }
end

local wins = current.version == 0 or wants > current.version or fresh and own.digest ~= current.digest and same(base, current)
if refused == '' and wins and not hold then
  own.version, own.at = math.max(current.version + 1, wants), now
  local reason = because('rules-changed', 'author', host, 'source', source, 'version', int(own.version), 'what', what)
  if current.version == 0 then
    reason = because('rules-first', 'author', host, 'source', source, 'version', int(own.version))
  elseif own.digest == current.digest then
    reason = because('rules-raised', 'author', host, 'source', source, 'version', int(own.version))
  end
  rule(source, own, reason)
  agrees()
  return { 'won', int(own.version), int(now) }
end
if refused == '' and own.digest == current.digest then
  agrees()
  return { 'ok' }
end
local was = redis.call('HMGET', differs, 'at:' .. host, 'what:' .. host, 'rules:' .. host, 'refused:' .. host)
local since, last = string.match(was[1] or '', '^(%d+) (%d+)$')
local again = stamp(last) and now - stamp(last) < 60000 and was[2] == what and was[3] == own.text and (was[4] or '') == refused
if not again then
  since = int(now)
  event('differs', '', '', host, '', refused ~= '' and because('nothing-said', 'host', host, 'source', source, 'what', refused)
    or because('file-differs', 'author', current.by, 'host', host, 'source', source, 'version', int(current.version), 'what', what))
end
redis.call('HSET', differs, 'at:' .. host, since .. ' ' .. int(now), 'rules:' .. host, own.text,
  'digest:' .. host, own.digest, 'what:' .. host, what, 'refused:' .. host, refused)
return { 'differs', int(wins and wait or 0) }
