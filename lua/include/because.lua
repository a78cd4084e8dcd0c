-- because: stands before every script. because() makes a reason: a code, and facts
-- as pairs of name and value, the names in alphabetical order; one without a value is
-- left out. It is one text, the code and a JSON object of strings, as
-- stream.Reason has it. object() makes that JSON of a list of such pairs, '' for none.
local function object(facts)
  local said = {}
  for i = 1, #facts, 2 do
    local value = string.gsub(tostring(facts[i + 1]), '[%c"\\\127]', function(c)
      return string.format('\\u%04x', string.byte(c))
    end)
    if value ~= '' then said[#said + 1] = '"' .. facts[i] .. '":"' .. value .. '"' end
  end
  return #said > 0 and '{' .. table.concat(said, ',') .. '}' or ''
end

local function because(code, ...)
  local facts = object({ ... })
  return facts == '' and code or code .. ' ' .. facts
end
