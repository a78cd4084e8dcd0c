-- because: stands before every script. because() makes a reason: a code, and facts
-- as pairs of name and value, the names in alphabetical order; one without a value is
-- left out. It is one text, the code and a JSON object of strings, as
-- stream.Reason has it.
local function because(code, ...)
  local facts, said = { ... }, {}
  for i = 1, #facts, 2 do
    local value = string.gsub(tostring(facts[i + 1]), '[%c"\\\127]', function(c)
      return string.format('\\u%04x', string.byte(c))
    end)
    if value ~= '' then said[#said + 1] = '"' .. facts[i] .. '":"' .. value .. '"' end
  end
  if #said == 0 then return code end
  return code .. ' {' .. table.concat(said, ',') .. '}'
end
