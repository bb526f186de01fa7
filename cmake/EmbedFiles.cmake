# barq_embed_files(OUT name dir): writes one C file with every file below dir as bytes, in a list
# `name` of struct bq_file (src/project.h), and keeps it fresh at build time. A name that begins
# with "dot-" has a dot instead: in the source tree, such files would mean something to the tools.
function(barq_embed_files out name dir)
    file(GLOB_RECURSE files CONFIGURE_DEPENDS ${dir}/*)
    set(generated ${CMAKE_BINARY_DIR}/${name}.c)
    add_custom_command(OUTPUT ${generated}
        COMMAND ${CMAKE_COMMAND} -DDIR=${dir} -DOUT=${generated} -DNAME=${name} "-DFILES=${files}"
                -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFilesRun.cmake
        DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/EmbedFilesRun.cmake
        VERBATIM)
    set(${out} ${generated} PARENT_SCOPE)
endfunction()
