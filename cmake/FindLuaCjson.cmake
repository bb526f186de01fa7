# LuaCjson::cjson: the lua-cjson module for the Lua 5.1 ABI as a library that is linked in.
find_library(LUACJSON_LIBRARY NAMES lua5.1-cjson liblua5.1-cjson.so.0)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LuaCjson REQUIRED_VARS LUACJSON_LIBRARY
    REASON_FAILURE_MESSAGE "install lua-cjson (see packages.txt)")
if(LuaCjson_FOUND AND NOT TARGET LuaCjson::cjson)
    add_library(LuaCjson::cjson UNKNOWN IMPORTED)
    set_target_properties(LuaCjson::cjson PROPERTIES IMPORTED_LOCATION ${LUACJSON_LIBRARY})
endif()
