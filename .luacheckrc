-- .luacheckrc: what luacheck holds lua/, apps/ and tests/ to.
std = "luajit"
max_line_length = 100
max_cyclomatic_complexity = 15
cache = false

files["tests/**/*_spec.lua"] = { std = "+busted" }
files["bench/wrk.lua"] = { globals = { "wrk", "init", "done" } }
