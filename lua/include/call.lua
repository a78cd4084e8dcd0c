-- call: stands before every script. redis.call() meets keys that a hand made
-- another type of: such a key is set aside and the command runs again, as on a key
-- that is not there. So no script ends halfway, with the work of others undone.
-- aside() moves a key to aside:<key>, where it stays a week, and says so once,
-- in the feed and in the hash aside, until that is deleted.
local server, ns, actor = redis, ARGV[1], ARGV[2]
local redis = { pcall = server.pcall }

local function aside(key, was, should)
  local name = string.sub(key, 1, #ns) == ns and string.sub(key, #ns + 1) or key
  local to = ns .. 'aside:' .. name
  local news = server.call('EXISTS', to) == 0
  server.call('RENAME', key, to)
  server.call('EXPIRE', to, 604800)
  redis.call('HSET', ns .. 'aside', name, was .. ' ' .. should)
  if news then
    redis.call('XADD', ns .. 'events', 'MAXLEN', '~', '10000', '*', 'event', 'nonsense', 'stream', '', 'slot', '', 'host', '',
      'token', '', 'actor', actor, 'reason',
      because('set-aside', 'aside', string.sub(to, 1, 220), 'name', string.sub(name, 1, 200), 'should', should, 'was', was))
  end
end

-- meant tells the type of a key by a command on it.
local function meant(command)
  local first = string.sub(command, 1, 1)
  if first == 'H' then return 'hash' elseif first == 'Z' then return 'zset' elseif first == 'X' then return 'stream' end
  return first == 'S' and string.sub(command, 1, 3) ~= 'SET' and 'set' or 'string'
end

-- What a source announces is nowhere else as it was said, so that key stays and
-- refuses, until restore puts what the records know of it in its place.
function redis.call(...)
  local answer = server.pcall(...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  local command, key = ...
  if string.find(answer.err, 'WRONGTYPE', 1, true) and string.sub(key, #ns + 1, #ns + 10) ~= 'announced:' then
    aside(key, server.call('TYPE', key).ok, meant(command))
  end
  -- Redis before 7.2 does not say which command a user may not run.
  if string.find(answer.err, 'The user executing the script', 1, true) then
    error((string.gsub(answer.err, '^%-?ERR ', '')) .. ' (' .. command .. ')', 0)
  end
  return server.call(...)
end
