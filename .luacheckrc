-- .luacheckrc: what luacheck holds lua/, apps/ and tests/ to.
std = "luajit"
max_line_length = 100
max_comment_line_length = false -- annotations cannot be folded; tests/tidy looks at the others
max_cyclomatic_complexity = 15
cache = false

files["lua/meta/"] = { unused = false } -- signatures only
files["tests/**/*_spec.lua"] = { std = "+busted" }
files["bench/peers/nginx/"] = { std = "+ngx_lua" }
files["apps/**/*_spec.lua"] = { std = "+busted" }
