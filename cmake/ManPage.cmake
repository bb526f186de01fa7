# Run after each build of the server: docs/man/barq-server.1.in, with the version and the options
# that the server tells of itself (-DSERVER), becomes the manual page (-DOUT).
set(template ${CMAKE_CURRENT_LIST_DIR}/../docs/man/barq-server.1.in)

function(barq_ask out)
    execute_process(COMMAND ${SERVER} ${ARGN} OUTPUT_VARIABLE text RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "${SERVER} ${ARGN} failed (${status})")
    endif()
    string(REPLACE "\\" "\\e" text "${text}")
    string(REPLACE "-" "\\-" text "${text}")
    set(${out} "${text}" PARENT_SCOPE)
endfunction()

# Lines of a table: two spaces, what is meant, and its help in another column.
function(barq_rows out text)
    set(rows "")
    string(REPLACE ";" "<semicolon>" text "${text}") # which parts the items of CMake's lists
    string(REGEX MATCHALL "\n  [^ \n][^\n]*" lines "${text}")
    foreach(line IN LISTS lines)
        string(REGEX MATCH "^\n  ([^ ]+( [A-Z]+)?) +(.*)$" found "${line}")
        string(APPEND rows ".TP\n.B ${CMAKE_MATCH_1}\n${CMAKE_MATCH_3}\n")
    endforeach()
    string(REPLACE "<semicolon>" ";" rows "${rows}")
    set(${out} "${rows}" PARENT_SCOPE)
endfunction()

barq_ask(VERSION --version)
barq_ask(help --help)
string(STRIP "${VERSION}" VERSION)
string(FIND "${help}" "\noptions, with their defaults:\n" at)
string(SUBSTRING "${help}" 0 ${at} commands)
string(SUBSTRING "${help}" ${at} -1 options)
barq_rows(COMMANDS "${commands}")
barq_rows(OPTIONS "${options}")
configure_file(${template} ${OUT} @ONLY)
