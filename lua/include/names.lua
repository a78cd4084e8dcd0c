-- names: the names of instances and what is joined of them; stream/instance.go and
-- stream/joined.go have the same. slot_of() gives the slot of an instance:
-- <slot>.<n>, <slot>@<host> or <slot>~<16 hexadecimal digits>; nil for what is none.
local function slot_of(instance)
  local slot, rest = string.match(instance, '^([a-z][a-z0-9_]*)([.@~].+)$')
  local fits = slot and (string.match(rest, '^%.[1-9]%d*$') or string.match(rest, '^@[^|]+$') or #rest == 17 and string.match(rest, '^~%x+$'))
  return fits and slot or nil
end

-- number_of gives n of <slot>.<n>, 0 for other forms.
local function number_of(instance) return tonumber(string.match(instance, '%.(%d+)$')) or 0 end

local function member(key, instance) return key .. '|' .. instance end

local function split_member(text)
  local key, instance = string.match(text, '^([^|]+)|([^|]+)$')
  if instance and slot_of(instance) then return key, instance end
end

local function row_of(stype, key, instance) return stype .. '|' .. key .. '|' .. instance end

local function split_row(text)
  local stype, key, instance = string.match(text, '^([^|]*)|([^|]+)|([^|]+)$')
  if instance and slot_of(instance) then return stype, key, instance end
end
