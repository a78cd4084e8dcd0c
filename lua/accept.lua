-- accept: puts the rules of one host's file in force, by an operator's word.
-- KEYS: none. Touches source:<source>, differs:<source>, reaper, events.
-- ARGV: ns, actor, source, host, fresh (ms within which the host must have spoken).
-- RETURN: {'ok', version} | {'agrees', version, by} (nothing of the host's differs, or it has not spoken for long) |
--   {'hold', reason}.
-- TWICE: nothing differs any more: 'agrees'.
local ns, actor, source, host, fresh = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
-- include: now
-- include: hold
-- include: event
-- include: ruling

local differs = ns .. 'differs:' .. source
local current = inforce(source)
local v = redis.call('HMGET', differs, 'at:' .. host, 'rules:' .. host, 'what:' .. host, 'digest:' .. host)
local last = stamp(string.match(v[1] or '', '^%d+ (%d+)$'))
if not last or now - last > fresh or not v[2] or not v[4] then return { 'agrees', int(current.version), current.by } end
local hold = held()
if hold then return { 'hold', hold } end
local version = current.version + 1
rule(source, { version = version, digest = v[4], by = host, at = now, text = v[2] },
  because('rules-accepted', 'author', host, 'by', actor, 'source', source, 'version', int(version), 'what', v[3] or ''))
return { 'ok', int(version) }
