-- names: the names of instances and what is joined of them; stream/instance.go and
-- stream/joined.go have the same. slot_of() gives the slot of an instance:
-- <slot>.<n>, <slot>@<host> or <slot>~<16 hexadecimal digits>; nil for what is none.
local function slot_of(instance)
  local slot = string.match(instance, '^([a-z][a-z0-9_]*)%.[1-9]%d*$') or string.match(instance, '^([a-z][a-z0-9_]*)@[^|]+$')
  return slot or (string.match(instance, '^([a-z][a-z0-9_]*)~' .. string.rep('%x', 16) .. '$'))
end

-- host_of gives the host of <slot>@<host>, nil for other forms.
local function host_of(instance) return string.match(instance, '@(.+)$') end

-- is_job tells whether an instance is a job, <slot>~<id>: it has no slot's record and no lead.
local function is_job(instance) return string.match(instance, '^[a-z][a-z0-9_]*~') ~= nil end

-- JOBS is where jobs begin in a queue: behind all slots of all priorities.
local JOBS = 9000000000000000

local function member(key, instance) return key .. '|' .. instance end

local function row_of(stype, key, instance) return stype .. '|' .. key .. '|' .. instance end

-- beside_row is the row of what holds no capacity, a sidecar.
local function beside_row(stype, key, instance) return '+' .. row_of(stype, key, instance) end
