-- retract: takes one announcement back at once, by an operator's word.
-- KEYS: none. Touches source:<source>, announced:<source>, missing:<source>, dirty.
-- ARGV: ns, actor, source, key, nonce.
-- RETURN: {'ok'} | {'absent'}.
-- TWICE: the second finds nothing: 'absent'.
local ns, actor, source, key, nonce = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
-- include: now
-- include: event
-- include: dirty

redis.call('HDEL', ns .. 'missing:' .. source, key)
if redis.call('HDEL', ns .. 'announced:' .. source, key) == 0 then return { 'absent' } end
redis.call('HSET', ns .. 'source:' .. source, 'version', int(now_us) .. '-' .. nonce)
mark(key)
wake('dirty')
return { 'ok' }
