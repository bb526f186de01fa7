# The docs page's files: fetched by npm while configuring, built into the server.

option(BARQ_DOCS_UI "build Swagger UI in, for the docs page at /docs (needs npm)" ON)
set(BARQ_DOCS_UI_DIR ${CMAKE_BINARY_DIR}/docs-ui CACHE PATH
    "where the docs page's package is kept; build directories can share it")
set(BARQ_DOCS_UI_SOURCE ${CMAKE_SOURCE_DIR}/docs-ui)

# Why the configuration ends here, and the ways out.
function(barq_docs_ui_fail reason)
    message(FATAL_ERROR "the docs page: ${reason}\n"
        "Install npm (see packages.txt) and let it reach its registry, or configure with "
        "-DBARQ_DOCS_UI=OFF for a server whose /docs only links to its OpenAPI document.")
endfunction()

# npm ci in folder, which appears only when it is complete.
function(barq_docs_ui_install folder)
    find_program(NPM npm)
    if(NOT NPM)
        barq_docs_ui_fail("npm is not installed.")
    endif()
    message(STATUS "Fetching the docs page's package into ${folder}")
    file(REMOVE_RECURSE ${folder}.part)
    foreach(name package.json package-lock.json .npmrc)
        file(COPY ${BARQ_DOCS_UI_SOURCE}/${name} DESTINATION ${folder}.part)
    endforeach()
    execute_process(COMMAND ${NPM} ci --ignore-scripts WORKING_DIRECTORY ${folder}.part
        RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_VARIABLE text)
    if(NOT status EQUAL 0)
        barq_docs_ui_fail("npm ci failed (${status}):\n${text}")
    endif()
    file(RENAME ${folder}.part ${folder})
endfunction()

# Sets out to the package's folder. What is there for this lock file is taken as it is; of builds
# that are configured at once, one fetches and the others wait.
function(barq_docs_ui_fetch out)
    set(lock ${BARQ_DOCS_UI_SOURCE}/package-lock.json)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${lock})
    file(SHA256 ${lock} key)
    string(SUBSTRING ${key} 0 12 key)
    set(folder ${BARQ_DOCS_UI_DIR}/${key})
    file(MAKE_DIRECTORY ${BARQ_DOCS_UI_DIR})
    file(LOCK ${BARQ_DOCS_UI_DIR}/lock GUARD FUNCTION TIMEOUT 600)
    if(NOT EXISTS ${folder})
        barq_docs_ui_install(${folder})
    endif()
    set(${out} ${folder}/node_modules/swagger-ui-dist PARENT_SCOPE)
endfunction()

# barq_docs_ui(OUT): sets OUT to the sources that define bq_docs_files (src/docs_ui.h).
function(barq_docs_ui out)
    set(generated ${CMAKE_BINARY_DIR}/docs-files)
    file(MAKE_DIRECTORY ${generated})
    if(NOT BARQ_DOCS_UI)
        file(CONFIGURE OUTPUT ${generated}/no_docs_files.c CONTENT
            "#include \"docs_ui.h\"\nconst struct bq_docs_file bq_docs_files[] = {{0}};\n")
        set(${out} ${generated}/no_docs_files.c PARENT_SCOPE)
        return()
    endif()
    barq_docs_ui_fetch(dist)
    find_program(NODE NAMES node nodejs REQUIRED)
    add_custom_command(OUTPUT ${generated}/docs_files.c ${generated}/docs_files.S
        COMMAND ${NODE} ${BARQ_DOCS_UI_SOURCE}/embed.js ${dist} ${generated}
        DEPENDS ${BARQ_DOCS_UI_SOURCE}/embed.js ${BARQ_DOCS_UI_SOURCE}/start.js
                ${BARQ_DOCS_UI_SOURCE}/package-lock.json
        VERBATIM)
    set(${out} ${generated}/docs_files.c ${generated}/docs_files.S PARENT_SCOPE)
endfunction()
