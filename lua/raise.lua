-- raise: puts a later layout of keys in force, once all who live speak it: hosts by
-- their lease, schedulers by their seat. Never in a hold, as it is not known then
-- who lives.
-- KEYS: none. Touches reaper, schema, hosts:lease, host:<host>, seats, events.
-- ARGV: ns, actor, layout.
-- RETURN: {'ok', layout in force} | {'not', layout in force, who cannot speak the
--   one asked for, each with what it speaks} | {'hold', reason}.
-- TWICE: it is in force already: 'ok'.
local ns, actor, layout = ARGV[1], ARGV[2], tonumber(ARGV[3])
-- include: now
-- include: hold
-- include: event
-- include: because
-- include: sound
-- include: layout

local found = redis.pcall('GET', ns .. 'schema')
local was = type(found) == 'string' and tonumber(found) or nil
if was and was >= layout then return { 'ok', int(was) } end
local why = held()
if why then return { 'hold', why } end
local cannot = {}
for _, host in ipairs(redis.call('ZRANGE', ns .. 'hosts:lease', 0, -1)) do
  local at = ns .. 'host:' .. host
  local range = sound(at) and redis.call('HGET', at, 'layouts') or ''
  if not speaks(range, layout) then cannot[#cannot + 1] = 'host ' .. host .. ' (' .. range .. ')' end
end
for _, seat in ipairs(redis.call('ZRANGE', ns .. 'seats', int(now), '+inf', 'BYSCORE')) do
  local id, range = string.match(seat, '^(.*) (%S+)$')
  if not speaks(range, layout) then cannot[#cannot + 1] = 'scheduler ' .. (id or seat) .. ' (' .. (range or '') .. ')' end
end
if #cannot > 0 or not was then return { 'not', int(was or 0), cannot } end
redis.call('SET', ns .. 'schema', int(layout))
event('layout-raised', '', '', '', '', because('layout-raised', 'layout', layout, 'was', was))
return { 'ok', int(layout) }
