-- token: issue() makes a fencing token: <number>-<nonce of the caller>. The
-- number only grows, over steps of the clock too, and assert compares it. The
-- nonce keeps a store that was set back from issuing a token again.
local function issue()
  local number = int(math.max((stamp(redis.call('GET', ns .. 'token')) or 0) + 1, now_us))
  redis.call('SET', ns .. 'token', number)
  return number .. '-' .. nonce
end
