-- dependants: has the hosts that run other slots of the stream look again,
-- because what this one publishes is another now. Returns rows of update
-- commands.
-- include: rev
local function dependants(key, slot)
  local stream, updates, own = ns .. 'stream:' .. key, {}, string.match(slot, '^(.-)~next$') or slot
  local rows = redis.call('HGETALL', stream)
  for i = 1, #rows, 2 do
    local other = string.match(rows[i], '^slot:(.+)$')
    if other and (string.match(other, '^(.-)~next$') or other) ~= own then
      local at = stream .. ':' .. other
      local o = sound(at) and redis.call('HMGET', at, 'state', 'host', 'token') or {}
      if o[1] == 'running' then
        bump(o[2])
        updates[#updates + 1] = { key, other, rows[i + 1], o[2], o[3] }
      end
    end
  end
  return updates
end
