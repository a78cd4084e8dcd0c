-- elsewhere: tells whether giving an instance up where it is would help: nothing is
-- on hold, it did not fail on another host lately, and one that is neither its own
-- nor avoided nor kept from it by a copy that it is apart from, for what is pinned its pin, has room in one of the n classes from
-- ARGV[first] on. What is one host's has no other, nor has a sidecar. avoid is the record's field. In a hold also why and until when.
-- lazy
-- include: hold
-- include: room
-- include: pin
-- include: siblings
local function elsewhere(key, instance, stype, host, avoid, first, n)
  local why, till = held()
  if why then return false, why, till end
  for other, over in string.gmatch(avoid or '', '(%S+)=(%d+)') do
    if tonumber(over) > now and other ~= host then return false end
  end
  if redis.call('HGET', ns .. 'stream:' .. key .. ':' .. instance, 'with') then return false end
  local own, skip, pin = { [host] = true }, 1, pinned(key, instance)
  local s = redis.call('HMGET', ns .. 'stream:' .. key .. ':' .. instance, 'apart', 'only')
  if s[2] then return false end
  if s[1] then skip = avoid_copies(key, instance, s[1], own, skip) end
  for i = first, first + n - 1 do
    if pin and room_on(pin, stype, ARGV[i], own) or not pin and room(stype, ARGV[i], own, skip, 1) > 0 then return true end
  end
  return false
end
