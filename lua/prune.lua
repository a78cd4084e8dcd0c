-- prune: forgets a class, unless a service of it came up since the caller saw
-- that none had it.
-- KEYS: none. Touches classes:<type>, load:<type>:<class>.
-- ARGV: ns, actor, type, class.
-- RETURN: {'ok'}.
-- TWICE: the second finds nothing to forget.
local ns, actor, stype, class = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if redis.call('EXISTS', ns .. 'load:' .. stype .. ':' .. class) == 0 then
  redis.call('HDEL', ns .. 'classes:' .. stype, class)
end
return { 'ok' }
