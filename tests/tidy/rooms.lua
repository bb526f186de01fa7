-- rooms.lua: the house as tables: which room may use which, and which headers stay where.
local rooms = {}

-- As in CMakeLists.txt; `tidy` holds the two against each other.
rooms.uses = {
  base = {},
  net = { "base" },
  http = { "base" },
  json = { "base" },
  serve = { "base", "net", "http" },
  vm = { "base", "net" },
  app = { "base", "http", "json", "vm" },
  data = { "base", "net", "json", "vm" },
  admin = { "base", "net", "http", "serve" },
}

-- Lua pattern of a header → where it may be included: rooms, or files. The porch is "porch".
rooms.quarantine = {
  { "^llhttp%.h$", { "http/h1_fields.c" } },
  { "^pcre2%.h$", { "app/pattern.c" } },
  { "^sqlite3%.h$", { "data/sqlite.c" } },
  { "^mimalloc%.h$", { "base/mem.c" } },
  { "^lua%.h$", { "vm/lua.h" } },
  { "^lauxlib%.h$", { "vm/lua.h" } },
  { "^lualib%.h$", { "vm/lua.h" } },
  { "^luajit%.h$", { "vm/lua.h" } },
  { "^vm/lua%.h$", { "vm", "app", "data", "porch" } },
  { "^sys/socket%.h$", { "net" } },
  { "^sys/un%.h$", { "net" } },
  { "^sys/epoll%.h$", { "net" } },
  { "^sys/eventfd%.h$", { "net" } },
  { "^sys/timerfd%.h$", { "net" } },
  { "^netinet/", { "net" } },
  { "^arpa/", { "net", "base/ip.c" } },
  { "^netdb%.h$", { "net" } },
  { "^poll%.h$", { "base", "net" } },
  { "^signal%.h$", { "net", "porch" } },
  { "^sys/signalfd%.h$", { "net", "porch" } },
  { "^pthread%.h$", { "base", "net", "data", "admin", "porch" } },
  { "^stdatomic%.h$", { "base", "net", "data", "admin", "porch" } },
}

-- Rooms without a clock and without threads: calls that would bring them in.
rooms.pure = { "http", "json" }
rooms.impure_calls = { "clock_gettime", "gettimeofday", "time", "nanosleep", "read", "write",
  "recv", "send" }

-- Sources without a test file of their own name, and the tests that cover them.
rooms.covered_by = {
  ["src/adoption.c"] = "tests/e2e/adoption_spec.lua",
  ["src/aside.c"] = "tests/e2e/offload_spec.lua",
  ["src/check.c"] = "tests/e2e/check_spec.lua",
  ["src/lua_testing.c"] = "tests/e2e/testing_spec.lua",
  ["src/inside.c"] = "tests/e2e/admin_spec.lua",
  ["src/lua_sources.c"] = "tests/e2e/dev_spec.lua",
  ["src/main.c"] = "tests/e2e",
  ["src/reload.c"] = "tests/e2e/reload_spec.lua",
  ["src/source_watch.c"] = "tests/e2e/dev_spec.lua",
  ["src/test_run.c"] = "tests/e2e/testing_spec.lua",
  ["src/http/h1_fields.c"] = "tests/unit/http/h1_parse_test.c",
  ["src/app/after.c"] = "tests/unit/app/dispatch_test.c",
  ["src/app/opening.c"] = "tests/unit/app/depends_test.c",
  ["src/app/failure.c"] = "tests/unit/app/dispatch_test.c",
  ["src/app/format_net.c"] = "tests/unit/app/format_test.c",
  ["src/app/format_time.c"] = "tests/unit/app/format_test.c",
  ["src/app/progress.c"] = "tests/e2e/admin_spec.lua",
  ["src/app/held.c"] = "tests/e2e/adoption_spec.lua",
  ["src/app/hooks.c"] = "tests/unit/app/app_test.c",
  ["src/app/lua_core.c"] = "tests/unit/app/dispatch_test.c",
  ["src/app/prepare.c"] = "tests/unit/app/dispatch_test.c",
  ["src/app/quick_schema.c"] = "tests/unit/app/quick_test.c",
  ["src/app/reply.c"] = "tests/unit/app/dispatch_test.c",
  ["src/app/reply_send.c"] = "tests/unit/app/depends_test.c",
  ["src/app/request.c"] = "tests/unit/app/dispatch_test.c",
  ["src/app/route.c"] = "tests/unit/app/app_test.c",
  ["src/app/schema_json_union.c"] = "tests/unit/app/schema_json_test.c",
  ["src/app/schema_index.c"] = "tests/unit/app/schema_compile_test.c",
  ["src/app/schema_node.c"] = "tests/unit/app/schema_compile_test.c",
  ["src/app/schema_scalar.c"] = "tests/unit/app/schema_compile_test.c",
  ["src/app/schema_problem.c"] = "tests/unit/app/schema_check_test.c",
  ["src/app/schema_string.c"] = "tests/unit/app/schema_check_test.c",
  ["src/app/schema_unique.c"] = "tests/unit/app/schema_check_test.c",
  ["src/app/unrouted.c"] = "tests/unit/app/dispatch_test.c",
  ["src/data/lua_flight.c"] = "tests/unit/data/lua_shared_test.c",
  ["src/data/offload_vm.c"] = "tests/unit/data/offload_test.c",
  ["src/data/lua_sqlite_values.c"] = "tests/unit/data/lua_sqlite_test.c",
  ["src/data/sqlite_pool.c"] = "tests/unit/data/lua_sqlite_test.c",
  ["src/data/stripe.c"] = "tests/unit/data/shared_test.c",
  ["src/json/number.c"] = "tests/unit/json/read_test.c",
  ["src/json/scan.c"] = "tests/unit/json/check_test.c",
  ["src/serve/input.c"] = "tests/unit/serve/conn_test.c",
  ["src/serve/proto.c"] = "tests/unit/serve/conn_test.c",
}

-- typedefs of structs: small values that are passed by copy.
rooms.value_types = { bq_str = true }

return rooms
