-- heartbeat: a host says that it lives; its lease runs anew from now.
-- KEYS: none. Touches host:<host>, hosts:lease.
-- ARGV: ns, actor, host, incarnation.
-- RETURN: {'ok', now, rev, state} | {'unknown'} (reaped, or the store was
--   emptied: register again) | {'stale', the incarnation that replaced it}.
-- TWICE: a lease is only ever lengthened to now + ttl.
local ns, actor, host, incarnation = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
-- include: now
-- include: ample

local h = redis.call('HMGET', ns .. 'host:' .. host, 'incarnation', 'ttl', 'rev', 'state')
local ttl = stamp(h[2]) -- no number: registering mends it
if not h[1] or not ttl or h[4] == 'down' then return { 'unknown' } end
if h[1] ~= incarnation then return { 'stale', h[1] } end
redis.call('ZADD', ns .. 'hosts:lease', int(now + ttl), host)
return { 'ok', int(now), h[3] or '0', h[4] or 'up' }
