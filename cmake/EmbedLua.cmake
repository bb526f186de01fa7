# barq_embed_lua(OUT dir): writes one C file with every Lua module below dir/barq as bytes, so
# that the server is one file, and keeps it fresh at build time.
function(barq_embed_lua out dir)
    file(GLOB_RECURSE modules CONFIGURE_DEPENDS ${dir}/barq/*.lua)
    set(generated ${CMAKE_BINARY_DIR}/embedded_lua.c)
    add_custom_command(OUTPUT ${generated}
        COMMAND ${CMAKE_COMMAND} -DDIR=${dir} -DOUT=${generated} "-DMODULES=${modules}"
                -P ${CMAKE_SOURCE_DIR}/cmake/EmbedLuaRun.cmake
        DEPENDS ${modules} ${CMAKE_SOURCE_DIR}/cmake/EmbedLuaRun.cmake
        VERBATIM)
    set(${out} ${generated} PARENT_SCOPE)
endfunction()
