-- announce: one good poll of a source, as the difference from what the poller
-- last knew to be announced. Gone is what no poller listed for gone_after and
-- two good polls did not list.
-- KEYS: none. Touches sources, source:<source>, announced:<source>,
--   missing:<source>, dirty, events.
-- ARGV: ns, actor, source, identity (of what is polled), poller, version, known
--   (streams that were announced under that version, 0 for no opinion), last_good
--   (ms of this poller's previous good poll, 0 for none), gone_after (ms), info
--   (JSON), nonce, rules (version and digest of those announced by, '' for none), full (why new streams
--   are refused, '' for none that is), n, n pairs of key and announcement (new or changed), m, m keys
--   announced but absent from this poll, k, k keys missing until now.
-- RETURN: {'ok', now, version, keys gone, ms until the next may be gone (-1: none)} |
--   {'version', now, version} (somebody else announced, or a hand took some away:
--   read and come again) | {'rules', now} (others are in force) |
--   {'taken', identity, poller} (another poller polls another ingest under this name).
-- TWICE: announcements are set, not added; an absence counts twice at most, in
--   a time far below gone_after.
local ns, actor, source, identity, poller, version = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local known, last_good, gone_after, info, nonce, rules = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10], ARGV[11], ARGV[12]
local full, n = ARGV[13], tonumber(ARGV[14])
local FIRST = 15
-- include: now
-- include: event
-- include: dirty

local record, announced, missing = ns .. 'source:' .. source, ns .. 'announced:' .. source, ns .. 'missing:' .. source
local r = redis.call('HMGET', record, 'identity', 'poller', 'last_good', 'version', 'state', 'info', 'rules_version', 'rules_digest', 'full')
if rules ~= '' and (r[7] or '') .. ' ' .. (r[8] or '') ~= rules then return { 'rules', int(now) } end
if r[1] and r[1] ~= identity and r[2] ~= poller and math.abs(now - (stamp(r[3]) or 0)) < 15000 then
  return { 'taken', r[1], r[2] or '' }
end

local at = FIRST + 2 * n
local m = tonumber(ARGV[at])
local k = tonumber(ARGV[at + m + 1])
if (r[4] or '') ~= version or known > 0 and redis.call('HLEN', announced) ~= known then return { 'version', int(now), r[4] or '' } end

local news, gone = false, {}
for i = 0, n - 1 do
  local key, value = ARGV[FIRST + 2 * i], ARGV[FIRST + 2 * i + 1]
  if redis.call('HGET', announced, key) ~= value then
    redis.call('HSET', announced, key, value)
    mark(key)
    news = true
  end
  if redis.call('HDEL', missing, key) == 1 then news = true end
end
for i = 1, k do
  if redis.call('HDEL', missing, ARGV[at + m + 1 + i]) == 1 then
    news = true
    mark(ARGV[at + m + 1 + i])
  end
end
local soonest
for i = 1, m do
  local key = ARGV[at + i]
  local since = stamp(redis.call('HGET', missing, key))
  if since and since > now then since = nil end -- the clock went back
  if redis.call('HEXISTS', announced, key) == 1 then
    if not since then
      -- The last good poll of any poller listed it, else it were marked.
      since = math.max(last_good, stamp(r[3]) or 0)
      if since == 0 or since > now then since = now end
      redis.call('HSET', missing, key, int(since))
      news = true
      mark(key)
    elseif now - since >= gone_after then
      redis.call('HDEL', announced, key)
      redis.call('HDEL', missing, key)
      mark(key)
      gone[#gone + 1], news = key, true
      since = nil
    end
    if since then soonest = math.min(soonest or since, since) end
  end
end

if news or not r[4] then
  version = int(now_us) .. '-' .. nonce
  redis.call('HSET', record, 'version', version)
end
if r[5] ~= 'good' then event('source-good', '', '', '', '', because('source', 'source', source)) end
redis.call('HSET', record, 'identity', identity, 'poller', poller, 'last_good', int(now), 'state', 'good', 'error', '',
  'gone_after', int(gone_after))
if full ~= '' and not r[9] then event('source-full', '', '', '', '', full) end
if full ~= '' then redis.call('HSET', record, 'full', int(now)) else redis.call('HDEL', record, 'full') end
if r[6] ~= info then redis.call('HSET', record, 'info', info) end
redis.call('SADD', ns .. 'sources', source)
if news then wake('dirty') end
return { 'ok', int(now), version, gone, soonest and int(math.max(0, soonest + gone_after - now)) or '-1' }
