-- fence: notices a store that was restarted, emptied or set back, and opens a
-- hold; takes nothing. Whoever finds that the server has forgotten the scripts
-- runs this one before it loads the others.
-- KEYS: none. Touches reaper, hosts:lease, host:<host>, events.
-- ARGV: ns, actor, nonce, ttl, beat (the caller's lease, ms).
-- RETURN: {'ok', now ms, epoch}.
-- TWICE: a second fence finds the tick of the first.
local ns, actor, nonce, ttl, beat = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
-- include: now
-- include: event
-- include: fence

-- As in ample: without the scripts nobody could keep what runs at maxmemory.
redis.pcall('HDEL', ns .. 'reaper', '')

local epoch = fence('', '', ttl, beat, false, true)
return { 'ok', int(now), epoch }
