-- restart: notices that the store is not the one it was. expected is what the
-- caller thinks the clock says (last reply plus its own elapsed time; '' for
-- no opinion), epoch the life of the data it remembers ('' for none), ttl and
-- beat the longest lease it knows of in ms. Opens a hold where holders must
-- have time to speak first, and ticks.
local function run_id()
  local info = redis.pcall('INFO', 'server')
  if type(info) ~= 'string' then return '' end -- the embedded store has none
  return string.match(info, 'run_id:(%w+)') or ''
end

-- longest gives the longest lease and beat registered, at least those given.
local function longest(ttl, beat)
  for _, host in ipairs(redis.call('ZRANGE', ns .. 'hosts:lease', 0, -1)) do
    local h = redis.call('HMGET', ns .. 'host:' .. host, 'ttl', 'beat')
    ttl = math.max(ttl, tonumber(h[1]) or 0)
    beat = math.max(beat, tonumber(h[2]) or 0)
  end
  return ttl, beat
end

local function look(expected, epoch, ttl, beat)
  local reaper = ns .. 'reaper'
  local r = redis.call('HMGET', reaper, 'tick', 'run_id', 'until', 'epoch')
  local tick, id, release, life = tonumber(r[1]), run_id(), tonumber(r[3]) or 0, r[4]
  local why, wait
  if not tick or not life then
    life = int(now_us) .. '-' .. nonce
    redis.call('HSET', reaper, 'epoch', life)
    why = 'the store is empty'
    if epoch == '' and redis.call('ZCARD', ns .. 'hosts:lease') == 0 then
      why, wait = 'first start', 2 * beat + 1000
    end
  elseif r[2] ~= id then
    why = 'the store was restarted'
  elseif epoch ~= '' and epoch ~= life then
    why = 'the store holds other data than before'
  elseif now - tick > 3000 then
    why = 'no scheduler looked for ' .. int((now - tick) / 1000) .. ' s'
  elseif tick - now > 500 then
    why = 'the clock went back'
  elseif expected ~= '' and math.abs(now - tonumber(expected)) > 500 then
    why = 'the clock jumped'
  end
  if why then
    if not wait then
      local t, b = longest(ttl, beat)
      wait = t + 2 * b
    end
    release = now + wait
    redis.call('HSET', reaper, 'until', int(release), 'reason', why, 'run_id', id)
    redis.call('HDEL', reaper, 'mass_since', 'mass_until')
    event('hold', '', '', '', '', why .. '; nothing is taken or given for ' .. int(wait) .. ' ms')
  end
  redis.call('HSET', reaper, 'tick', int(now))
  return life
end
