-- base64.lua: bytes as text and back (RFC 4648, section 4), for what is said once per request
-- at most: credentials, and the document of the routes.
local base64 = {}

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local letters, values = {}, {}
for i = 0, 63 do
  letters[i] = alphabet:sub(i + 1, i + 1)
  values[alphabet:byte(i + 1)] = i
end

local floor = math.floor

local function encode_three(three)
  local a, b, c = three:byte(1, 3)
  local bits = a * 65536 + (b or 0) * 256 + (c or 0)
  return letters[floor(bits / 262144)] .. letters[floor(bits / 4096) % 64]
    .. (b and letters[floor(bits / 64) % 64] or "=") .. (c and letters[bits % 64] or "=")
end

---@param bytes string
---@return string text padded
function base64.encode(bytes)
  return (bytes:gsub("..?.?", encode_three))
end

-- The bytes of four letters, of which the last ones may be padding.
local function decode_four(a, b, c, d)
  local bits = a * 262144 + b * 4096 + (c or 0) * 64 + (d or 0)
  local first, second, third = floor(bits / 65536), floor(bits / 256) % 256, bits % 256
  -- Bits that stand for nothing are zero: one text for each value.
  if not c then return bits % 65536 == 0 and string.char(first) or nil end
  if not d then return third == 0 and string.char(first, second) or nil end
  return string.char(first, second, third)
end

--- Strict: padded, one line, nothing but its alphabet.
---@param text string
---@return string? bytes nil when it is no base64
function base64.decode(text)
  if #text % 4 ~= 0 or not text:find("^[%w+/]*=?=?$") then return nil end
  local parts = {}
  for at = 1, #text, 4 do
    local a, b, c, d = text:byte(at, at + 3)
    local bytes = decode_four(values[a], values[b], values[c], values[d])
    if not bytes then return nil end
    parts[#parts + 1] = bytes
  end
  return table.concat(parts)
end

return base64
