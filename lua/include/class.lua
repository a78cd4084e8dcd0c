-- class: reclass() gives a service the class it is of: what its hash says of filter,
-- preference and needs, and the labels of its host. The class is derived each time
-- and remembered nowhere else, so that services of one class stay interchangeable,
-- whatever a hand or a file changed. The id is 12 hexadecimal digits of a digest, as
-- stream.Class has it. It tells whether the class is another one than it was.
local function reclass(stype, host, labels)
  local service = ns .. 'service:' .. stype .. ':' .. host
  local s = redis.call('HMGET', service, 'filter', 'prefer', 'needs', 'class')
  local of, text = { 'filter', s[1] or '', 'prefer', s[2] or '', 'needs', s[3] or '', 'labels', labels }, ''
  for i = 2, #of, 2 do text = text .. #of[i] .. ':' .. of[i] end
  local class, said = string.sub(server.sha1hex(text), 1, 12), object(of)
  redis.call('HSET', ns .. 'classes:' .. stype, class, said ~= '' and said or '{}')
  if s[4] == class then return false end
  if s[4] then redis.call('ZREM', ns .. 'load:' .. stype .. ':' .. s[4], host) end
  redis.call('HSET', service, 'class', class)
  return true
end
