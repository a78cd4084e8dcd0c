-- pools: what the services of a host share. What is taken of a pool is kept nowhere: it
-- follows at any time from the rows of slots:<host> and from uses, as the hashes say.
-- lazy
-- include: sound

-- amounts reads {"cpu":1500,"nvenc":1000}, thousandths by pool; nil for what a hand
-- wrote otherwise. stream.DecodeAmounts is the same.
local function amounts(text)
  local out, inside = {}, string.match((not text or text == '') and '{}' or text, '^%s*{%s*(.-)%s*}%s*$')
  if not inside then return nil end
  if inside == '' then return out end
  for piece in string.gmatch(inside .. ',', '([^,]*),') do
    local name, n = string.match(piece, '^%s*"([a-z][a-z0-9_]*)"%s*:%s*(%d+)%s*$')
    if not name or out[name] or #n > 10 or string.match(n, '^0%d') or tonumber(n) > 1000000000 then return nil end
    out[name] = tonumber(n)
  end
  return out
end

-- decimal writes thousandths as people do: 1500 is 1.5.
local function decimal(n)
  return (string.gsub(string.gsub(string.format('%.3f', n / 1000), '0+$', ''), '%.$', ''))
end

-- pools reads what the pools of a host have, what is taken of them, and by whom. A
-- service whose used is more than its rows counts with that: rows may be lost. Where what
-- is taken cannot be known, there is no size, and nothing has room.
local function pools(host)
  local h = redis.pcall('HMGET', ns .. 'host:' .. host, 'pools', 'services')
  local view = { size = amounts(h[1]), taken = {}, users = {}, types = {} }
  for stype in string.gmatch(h[2] or '', '%S+') do
    local v = redis.pcall('HMGET', ns .. 'service:' .. stype .. ':' .. host, 'capacity', 'used', 'state', 'class', 'places', 'uses')
    local held = (v[6] or not v[3]) and rows(stype, host) or 0
    local along = (v[6] or not v[3]) and beside_rows(stype, host) or 0
    v[5] = v[5] and unheld(v[5], stype, host)
    if v[6] then
      v.uses = amounts(v[6])
      view.users[stype] = v
      view.types[#view.types + 1] = stype
      for pool, amount in pairs(v.uses or {}) do
        view.taken[pool] = (view.taken[pool] or 0) + amount * (math.max(whole(v[2]) or 0, held) + along)
      end
    end
    if v[6] and not v.uses or held + along > 0 and not v[3] then view.size = nil end
  end
  return view
end

-- strain is how full the fullest of the pools is with one slot more, in millionths; nil
-- for no room ever.
local function strain(view, uses)
  if not view.size or not uses then return nil end
  local most = 0
  for pool, amount in pairs(uses) do
    local size = view.size[pool] or 0
    if size == 0 or amount > size then return nil end
    most = math.max(most, math.ceil(((view.taken[pool] or 0) + amount) * 1000000 / size))
  end
  return most
end

-- fits is for how many slots more the pools have room.
local function fits(view, uses)
  local least = view.size and uses and math.huge or 0
  for pool, amount in pairs(least > 0 and uses or {}) do
    local left = (view.size[pool] or 0) - (view.taken[pool] or 0)
    if amount > 0 then least = math.min(least, math.max(0, math.floor(left / amount))) end
  end
  return least
end

-- meets tells whether two services share a pool; who says nothing sensible may share any.
local function meets(a, b)
  if not a or not b then return true end
  for pool in pairs(a) do
    if b[pool] then return true end
  end
  return false
end
