# What `cmake --install` puts where, and the Debian package that CPack makes of it.
#
# The server is one file: the Lua modules and the docs page are inside. What lies beside it is for
# people (the manual, the licence), for editors (the Lua sources, whose annotations they show), for
# the service manager (systemd's units) and for builds of C modules (barq.pc).
include(GNUInstallDirs)

set(BARQ_UNITDIR lib/systemd/system CACHE STRING "where systemd's units go, below the prefix")
set(BARQ_LUADIR ${CMAKE_INSTALL_DATADIR}/barq/lua)

# The manual's options come out of the server itself, so they cannot drift from it. Servers with
# sanitizers are not for installing.
set(BARQ_MAN ${CMAKE_BINARY_DIR}/install/barq-server.1)
set(BARQ_MAN_PARTS ${CMAKE_SOURCE_DIR}/docs/man/barq-server.1.in
    ${CMAKE_SOURCE_DIR}/cmake/ManPage.cmake)
if(NOT BARQ_SANITIZE)
    add_custom_command(TARGET barq-server POST_BUILD
        COMMAND ${CMAKE_COMMAND} -DSERVER=$<TARGET_FILE:barq-server> -DOUT=${BARQ_MAN}
                -DDATADIR=${CMAKE_INSTALL_FULL_DATADIR}
                -DSYSCONFDIR=${CMAKE_INSTALL_FULL_SYSCONFDIR}
                -DUNITDIR=${CMAKE_INSTALL_PREFIX}/${BARQ_UNITDIR}
                -P ${CMAKE_SOURCE_DIR}/cmake/ManPage.cmake
        VERBATIM)
    set_target_properties(barq-server PROPERTIES LINK_DEPENDS "${BARQ_MAN_PARTS}")
endif()

foreach(name barq.pc barq@.service barq@.socket conffiles)
    configure_file(${CMAKE_SOURCE_DIR}/cmake/install/${name}.in
        ${CMAKE_BINARY_DIR}/install/${name} @ONLY)
endforeach()

# With /usr as the prefix settings are in /etc, with another one in its etc: --prefix holds for all.
set(BARQ_ETCDIR ${CMAKE_INSTALL_SYSCONFDIR})
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(BARQ_ETCDIR ${CMAKE_INSTALL_FULL_SYSCONFDIR})
endif()

# The component "server" is all that an image needs.
install(TARGETS barq-server RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT server)
install(DIRECTORY lua/ DESTINATION ${BARQ_LUADIR} COMPONENT rest FILES_MATCHING PATTERN *.lua)
install(FILES ${BARQ_MAN} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT rest)
install(FILES ${CMAKE_BINARY_DIR}/install/barq.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT rest)
install(FILES ${CMAKE_BINARY_DIR}/install/barq@.service ${CMAKE_BINARY_DIR}/install/barq@.socket
    DESTINATION ${BARQ_UNITDIR} COMPONENT rest)
install(FILES cmake/install/default DESTINATION ${BARQ_ETCDIR}/default RENAME barq COMPONENT rest)

# ./dev deb. The units' paths are those of the prefix, so the package is built with /usr as its
# prefix (preset deb). /etc lies beside it, hence DESTDIR.
set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME barq)
set(CPACK_PACKAGE_VENDOR barq)
set(CPACK_PACKAGE_CONTACT "The barq authors <authors@barq.example>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "application server that is programmed in Lua")
set(CPACK_PACKAGE_DESCRIPTION
    "barq serves HTTP in C and runs an application's handlers in LuaJIT, one state
for each worker thread. Routes, schemas and dependencies are declared as Lua
tables, from which the OpenAPI document and its page are made as well.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION httpd)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "luarocks, lua-busted")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/install/conffiles
    ${CMAKE_SOURCE_DIR}/cmake/install/postinst
    ${CMAKE_SOURCE_DIR}/cmake/install/prerm
    ${CMAKE_SOURCE_DIR}/cmake/install/postrm)
include(CPack)
