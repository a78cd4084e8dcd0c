-- split: reads what is joined of names; nil for what a hand wrote.
-- include: names
local function split_member(text)
  local key, instance = string.match(text, '^([^|]+)|([^|]+)$')
  if instance and slot_of(instance) then return key, instance end
end

local function split_row(text)
  local stype, key, instance = string.match(text, '^([^|]*)|([^|]+)|([^|]+)$')
  if instance and slot_of(instance) then return stype, key, instance end
end
