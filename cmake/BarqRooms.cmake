# Rooms, their tests and their fuzz targets.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_compile_definitions(_GNU_SOURCE)
include_directories(${CMAKE_SOURCE_DIR}/src)
set(BARQ_WARNINGS -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wformat=2 -Wundef -Wvla)
add_compile_options(${BARQ_WARNINGS} -fno-common)

# Release builds keep their assertions (no NDEBUG) and the debug information that profiles need.
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O3 -g")

# gcc clears and copies structs of a few words by "rep stos" and "rep movs", which take some 30
# cycles to begin. The linker compiles again what it optimises, hence it is told, too.
set(BARQ_STRATEGY vector_loop:512:noalign,libcall:-1:noalign)
set(BARQ_STRATEGIES -mmemset-strategy=${BARQ_STRATEGY} -mmemcpy-strategy=${BARQ_STRATEGY})
include(CheckCCompilerFlag)
check_c_compiler_flag("${BARQ_STRATEGIES}" BARQ_HAS_STRATEGIES)
if(BARQ_HAS_STRATEGIES)
    add_compile_options(${BARQ_STRATEGIES})
    add_link_options(${BARQ_STRATEGIES})
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT BARQ_SANITIZE)
    # Every symbol is bound at the start (-z now): a call through the table needs no stub.
    add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fno-plt)
    add_link_options(-Wl,-z,relro,-z,now)
else()
    add_compile_options(-fno-omit-frame-pointer) # what sanitizers unwind by
endif()
# A Lua error unwinds C frames. With -fexceptions (preset tsan) the thread sanitizer notices;
# without, its shadow stack grows with each error until it overflows.
if(BARQ_SANITIZE)
    add_compile_options(-fsanitize=${BARQ_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${BARQ_SANITIZE})
endif()
if(BARQ_FAULTS)
    add_compile_definitions(BQ_FAULTS)
endif()

# barq_room(http USES base LIBS llhttp::llhttp): src/http/*.c as the library barq_http.
# USES are the only rooms whose functions it can link.
function(barq_room name)
    cmake_parse_arguments(ROOM "" "" "USES;LIBS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
    list(TRANSFORM ROOM_USES PREPEND barq_)
    add_library(barq_${name} STATIC ${sources})
    target_link_libraries(barq_${name} PUBLIC ${ROOM_USES} ${ROOM_LIBS})
endfunction()

# tests/unit/<room>/*_test.c: a cmocka program each, linked with its own room.
function(barq_room_tests room)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${room}/*_test.c)
    foreach(source ${sources})
        get_filename_component(name ${source} NAME_WE)
        set(target unit-${room}-${name})
        add_executable(${target} ${source})
        target_link_libraries(${target} PRIVATE barq_${room} PkgConfig::CMOCKA)
        target_compile_definitions(${target} PRIVATE BARQ_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
        add_test(NAME ${room}/${name} COMMAND ${target})
    endforeach()
endfunction()

# tests/fuzz/<room>/<name>_fuzz.c: a libFuzzer program fuzz-<name>; its seeds are in
# tests/fuzz/corpus/<name>.
function(barq_fuzz_targets)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*/*_fuzz.c)
    foreach(source ${sources})
        get_filename_component(file ${source} NAME_WE)
        get_filename_component(folder ${source} DIRECTORY)
        get_filename_component(room ${folder} NAME)
        string(REGEX REPLACE "_fuzz$" "" name ${file})
        add_executable(fuzz-${name} ${source})
        target_link_libraries(fuzz-${name} PRIVATE barq_${room})
        target_link_options(fuzz-${name} PRIVATE -fsanitize=fuzzer)
    endforeach()
endfunction()
