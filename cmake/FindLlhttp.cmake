# llhttp::llhttp. Debian 12's node-llhttp ships C sources and a header, which are compiled here in
# strict mode; later distributions ship a library.
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp)
find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp)
find_library(LLHTTP_LIBRARY llhttp)
include(FindPackageHandleStandardArgs)
if(LLHTTP_LIBRARY)
    find_package_handle_standard_args(Llhttp REQUIRED_VARS LLHTTP_LIBRARY LLHTTP_INCLUDE_DIR)
else()
    find_package_handle_standard_args(Llhttp REQUIRED_VARS LLHTTP_SOURCE_DIR LLHTTP_INCLUDE_DIR
        REASON_FAILURE_MESSAGE "install node-llhttp (see packages.txt)")
endif()
if(Llhttp_FOUND AND NOT TARGET llhttp::llhttp)
    if(LLHTTP_LIBRARY)
        add_library(llhttp::llhttp UNKNOWN IMPORTED)
        set_target_properties(llhttp::llhttp PROPERTIES IMPORTED_LOCATION ${LLHTTP_LIBRARY})
        target_include_directories(llhttp::llhttp SYSTEM INTERFACE ${LLHTTP_INCLUDE_DIR})
    else()
        add_library(llhttp_strict STATIC ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c
            ${LLHTTP_SOURCE_DIR}/http.c)
        target_compile_definitions(llhttp_strict PUBLIC LLHTTP_STRICT_MODE=1)
        target_include_directories(llhttp_strict SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
        # Somebody else's sources: their warnings are not ours.
        target_compile_options(llhttp_strict PRIVATE -w)
        add_library(llhttp::llhttp ALIAS llhttp_strict)
    endif()
endif()
