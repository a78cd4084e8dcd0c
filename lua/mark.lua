-- mark: asks the schedulers to look at a stream again.
-- KEYS: none. Touches dirty.
-- ARGV: ns, actor, key.
-- RETURN: {'ok'}.
-- TWICE: the later mark replaces the earlier one.
local ns, actor, key = ARGV[1], ARGV[2], ARGV[3]
-- include: now
-- include: dirty

mark(key)
redis.call('PUBLISH', ns .. 'wake', 'dirty')
return { 'ok' }
