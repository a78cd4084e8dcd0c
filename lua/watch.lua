-- watch: a source is unknown once none of its pollers had a good poll for
-- gone_after: they may all be dead, and then nobody says so.
-- KEYS: none. Touches source:<source>, events.
-- ARGV: ns, actor, source.
-- RETURN: {'ok', state, state that its streams were last told ('' for none)}.
-- TWICE: sets the same words again.
local ns, actor, source = ARGV[1], ARGV[2], ARGV[3]
-- include: now
-- include: event

local record = ns .. 'source:' .. source
local r = redis.call('HMGET', record, 'state', 'last_good', 'gone_after', 'told')
local state, last, patience = r[1] or 'unknown', tonumber(r[2]) or 0, tonumber(r[3])
if state == 'good' and patience and now - last > (patience == 0 and 60000 or math.max(patience, 3000)) then
  state = 'unknown'
  local why = 'no poller has spoken for ' .. int((now - last) / 1000) .. ' s'
  redis.call('HSET', record, 'state', state, 'error', why, 'unknown_since', int(now))
  event('source-unknown', '', '', '', '', because('source-fails', 'error', why, 'source', source))
end
return { 'ok', state, r[4] or '' }
