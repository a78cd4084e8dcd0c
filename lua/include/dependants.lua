-- dependants: has the hosts that run other slots of the stream look again,
-- because what this one says is another now. Returns rows of update commands.
-- include: names
-- include: rev
local function dependants(key, slot)
  local stream, updates = ns .. 'stream:' .. key, {}
  local rows = redis.call('HGETALL', stream)
  for i = 1, #rows, 2 do
    local other = string.match(rows[i], '^instance:(.+)$')
    if other and slot_of(other) ~= slot and not is_job(other) then
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
