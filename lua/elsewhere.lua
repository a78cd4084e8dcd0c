-- elsewhere: tells whether giving an instance up would help, as release decides it.
-- It changes nothing, and its answer may be out of date at once.
-- KEYS: none. Touches reaper, stream:<key>:<slot>, stream:<key>:<instance>, override:<key>, load:<type>:<class>,
--   hosts:lease, host:<host>, slots:<host>, service:<type>:<host>.
-- ARGV: ns, actor, key, instance, type, host (that has it), n, n classes that may take it.
-- RETURN: {'yes'} | {'no'} | {'hold', reason, until (ms), '' if that is not known}.
-- TWICE: it only reads.
local ns, actor, key, instance, stype, host, n = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local FIRST = 8
-- include: now
-- include: elsewhere

local avoid = redis.call('HGET', ns .. 'stream:' .. key .. ':' .. instance, 'avoid')
local helps, why, till = elsewhere(key, instance, stype, host, avoid, FIRST, n)
if why then return { 'hold', why, till and int(till) or '' } end
if helps then return { 'yes' } end
return { 'no' }
