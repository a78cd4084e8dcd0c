-- ruling: the rules of a source that are in force. inforce() gives them, with version 0 for none; rule() puts others in
-- force for a reason and has the pollers of the source look.
local function inforce(source)
  local r = redis.call('HMGET', ns .. 'source:' .. source, 'rules', 'rules_version', 'rules_digest', 'rules_by', 'rules_at')
  local version = r[1] and r[3] and stamp(r[2]) or 0
  return { version = version, digest = version > 0 and r[3] or '', by = r[4] or '', at = stamp(r[5]) or 0, text = r[1] or '' }
end

local function rule(source, v, reason)
  redis.call('HSET', ns .. 'source:' .. source, 'rules', v.text, 'rules_version', int(v.version), 'rules_digest', v.digest,
    'rules_by', v.by, 'rules_at', int(v.at))
  event('rules', '', '', v.by, '', reason)
  wake('poll ' .. source)
end
