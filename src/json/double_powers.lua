-- double_powers.lua: computes double_powers.h, exactly, with integers of any length.
--   luajit src/json/double_powers.lua > src/json/double_powers.h
-- A number is a list of limbs of 24 bits, the lowest first.

local MIN, MAX = -292, 324
local LIMB = 2 ^ 24

local function times(a, n)
  local carry = 0
  for i = 1, #a do
    local x = a[i] * n + carry
    a[i] = x % LIMB
    carry = math.floor(x / LIMB)
  end
  if carry > 0 then a[#a + 1] = carry end
end

-- Gives the remainder.
local function divide(a, n)
  local rest = 0
  for i = #a, 1, -1 do
    local x = rest * LIMB + a[i]
    a[i] = math.floor(x / n)
    rest = x % n
  end
  while a[#a] == 0 do a[#a] = nil end
  return rest
end

-- The highest 128 bits as 32 hexadecimal digits, rounded up if anything is below them.
local function highest(a, inexact)
  while a[#a] < LIMB / 2 do times(a, 2) end
  local hex = {}
  for i = #a, 1, -1 do hex[#hex + 1] = ("%06x"):format(a[i]) end
  hex = table.concat(hex) .. ("0"):rep(32)
  local top = hex:sub(1, 32)
  if not inexact and not hex:find("[^0]", 33) then return top end
  local kept, last, ones = top:match("^(.-)([0-9a-e])(f*)$")
  return kept .. ("%x"):format(tonumber(last, 16) + 1) .. ("0"):rep(#ones)
end

-- 10^k, less its factors of two, which only move the point.
local function power(k)
  local a = { 1 }
  if k >= 0 then
    for _ = 1, k do times(a, 5) end
    return highest(a, false)
  end
  -- 2^n / 5^-k with more than 128 bits; what every division drops lies below them.
  for _ = 1, 128 - 3 * k do times(a, 2) end
  for _ = 1, -k do divide(a, 5) end
  return highest(a, true)
end

io.write([[
/*
 * double_powers.h: 10^k for double.c, as the highest 128 bits of each, rounded up.
 *
 * Computed by double_powers.lua; do not edit.
 */
#ifndef BQ_JSON_DOUBLE_POWERS_H
#define BQ_JSON_DOUBLE_POWERS_H

#include <stdint.h>

]], ("#define POWER_MIN (%d)\n#define POWER_MAX %d\n\n"):format(MIN, MAX), [[
struct power {
    uint64_t high, low;
};

/* clang-format off */
static const struct power powers[] = {
]])
for k = MIN, MAX do
  local hex = power(k)
  io.write(("    {0x%s, 0x%s}, /* %d */\n"):format(hex:sub(1, 16), hex:sub(17), k))
end
io.write("};\n/* clang-format on */\n\n#endif\n")
