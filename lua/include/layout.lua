-- layout: which layout of keys is in force, and who speaks it.

-- foreign returns the layout in force if it is none of those from one to another,
-- else nil. A store without one, as an emptied one, is given that which the caller
-- last knew to be in force. A key that a hand made another type tells nothing.
local function foreign(from, to, known)
  local schema = ns .. 'schema'
  local found = redis.pcall('GET', schema)
  if not found then
    redis.call('SET', schema, known)
    return nil
  end
  if type(found) ~= 'string' then return nil end
  local n = tonumber(found)
  if not n or n < from or n > to then return found end
  return nil
end

-- spoken writes a range of layouts: 2 or 2-3.
local function spoken(from, to)
  return from == to and int(from) or int(from) .. '-' .. int(to)
end

-- speaks tells whether a range, as spoken wrote it, has layout n in it.
local function speaks(range, n)
  local from, to = string.match(range or '', '^(%d+)%-?(%d*)$')
  if not from then return false end
  return tonumber(from) <= n and n <= (tonumber(to) or tonumber(from))
end
