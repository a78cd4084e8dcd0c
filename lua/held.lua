-- held: says whether anything may be taken or given now, as all scripts that do decide it.
-- KEYS: none. Touches reaper.
-- ARGV: ns, actor.
-- RETURN: {'open'} | {'held', reason, until (ms), '' if that is not known}.
-- TWICE: it only reads, and sets nothing aside: people look at a store that they broke, too.
local ns, actor = ARGV[1], ARGV[2]
-- include: now
-- include: hold

aside = function() end
local why, till = held()
if why then return { 'held', why, till and int(till) or '' } end
return { 'open' }
