-- token: issue() makes a fencing token: <number>-<nonce of the caller>. The
-- number only grows, over steps of the clock too, and assert compares it. The
-- nonce keeps a store that was set back from issuing a token again.
local function issue()
  local number = int(now_us)
  local last = stamp(redis.call('SET', ns .. 'token', number, 'GET')) or 0
  if last >= now_us then -- the clock stands or went back
    number = int(last + 1)
    redis.call('SET', ns .. 'token', number)
  end
  return number .. '-' .. nonce
end
