-- split: reads what is joined of names; nil for what a hand wrote.
-- include: names
local function split_member(text)
  local key, instance = string.match(text, '^([^|]+)|([^|]+)$')
  if instance and slot_of(instance) then return key, instance end
end

-- split_row tells besides whether it is a row of a sidecar.
local function split_row(text)
  local mark, stype, key, instance = string.match(text, '^(%+?)([^|]*)|([^|]+)|([^|]+)$')
  if instance and slot_of(instance) then return stype, key, instance, mark ~= '' end
end
