/* lua_same.h: whether two Lua values are the same, however deep, as a function in Lua. */
#ifndef BQ_TESTS_LUA_SAME_H
#define BQ_TESTS_LUA_SAME_H

#define LUA_SAME                                                                 \
    "function same(a, b)\n"                                                      \
    "  if type(a) ~= 'table' or type(b) ~= 'table' then return a == b end\n"     \
    "  for k, v in pairs(a) do if not same(v, b[k]) then return false end end\n" \
    "  for k in pairs(b) do if a[k] == nil then return false end end\n"          \
    "  return true\n"                                                            \
    "end\n"

#endif
