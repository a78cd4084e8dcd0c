-- event: event() adds a line to the capped stream of what happened; wake()
-- hints to whoever listens. Both are for people and for speed: nothing that
-- must hold depends on them.
-- RETURN: neither gives anything.
local function event(what, key, slot, host, token, reason)
  redis.call('XADD', ns .. 'events', 'MAXLEN', '~', '10000', '*', 'event', what, 'stream', key,
    'slot', slot, 'host', host, 'token', token, 'reason', reason, 'actor', actor)
end
local function wake(what) redis.call('PUBLISH', ns .. 'wake', what) end
