-- sound: sound() tells whether a hash is there, and takes away what a hand made
-- of another type in its place: a command on that would end a script halfway,
-- with the work of others undone.
-- include: event
local function sound(at)
  local kind = redis.call('TYPE', at).ok
  if kind == 'hash' then return true end
  if kind ~= 'none' then
    redis.call('DEL', at)
    event('nonsense', '', '', '', '', string.sub(at, 1, 200) .. ' was a ' .. kind .. ' and no hash; it is taken away')
  end
  return false
end
