-- sound: sound() tells whether a hash is there. One that a hand made another type
-- is set aside.
local function sound(at)
  local kind = redis.call('TYPE', at).ok
  if kind == 'hash' then return true end
  if kind ~= 'none' then aside(at, kind, 'hash') end
  return false
end
