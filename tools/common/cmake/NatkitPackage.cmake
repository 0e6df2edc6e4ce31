# What is installed besides the programs, and the Debian package that CPack makes of it: cmake --install, cpack -G DEB.

set(packaging "${CMAKE_SOURCE_DIR}/tools/packaging")
set(NATKIT_DEB_VERSION "${PROJECT_VERSION}-1" CACHE STRING "Version of the Debian package")

# Compressed here, as Debian wants them; without times or names, so that a build can be repeated.
function(natkit_compressed source target)
    set(made "${CMAKE_BINARY_DIR}/compressed/${target}")
    cmake_path(GET made PARENT_PATH folder)
    file(MAKE_DIRECTORY "${folder}")
    add_custom_command(OUTPUT "${made}" COMMAND gzip -9nc "${source}" > "${made}" DEPENDS "${source}" VERBATIM)
    set_property(GLOBAL APPEND PROPERTY natkit_compressed "${made}")
endfunction()

# The pages' examples name files of the source tree, where tests run them; installed, they name what is installed.
file(GLOB pages CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/man/*.[1-8]")
foreach(page IN LISTS pages)
    cmake_path(GET page FILENAME name)
    cmake_path(GET page EXTENSION LAST_ONLY section)
    string(SUBSTRING "${section}" 1 1 section)
    install(CODE "set(page \"${CMAKE_BINARY_DIR}/compressed/${name}\")
file(READ \"${CMAKE_SOURCE_DIR}/man/${name}\" text)
set(examples \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/doc/natkit/examples\")
string(REPLACE tools/natkit/examples \"\${examples}\" text \"\${text}\")
file(WRITE \"\${page}\" \"\${text}\")
execute_process(COMMAND gzip -9nc \"\${page}\" OUTPUT_FILE \"\${page}.gz\" COMMAND_ERROR_IS_FATAL ANY)
file(INSTALL \"\${page}.gz\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man${section}\")")
endforeach()

configure_file("${packaging}/changelog.in" "${CMAKE_BINARY_DIR}/changelog.Debian" @ONLY)
natkit_compressed("${CMAKE_BINARY_DIR}/changelog.Debian" changelog.Debian.gz)
natkit_compressed("${CMAKE_SOURCE_DIR}/CHANGELOG.md" changelog.gz)
get_property(compressed GLOBAL PROPERTY natkit_compressed)
add_custom_target(documents ALL DEPENDS ${compressed})
add_dependencies(programs documents)

install(FILES "${CMAKE_BINARY_DIR}/compressed/changelog.gz" "${CMAKE_BINARY_DIR}/compressed/changelog.Debian.gz"
              "${packaging}/copyright" "${CMAKE_SOURCE_DIR}/README.md"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/natkit")
install(DIRECTORY "${CMAKE_SOURCE_DIR}/tools/natkit/examples" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/natkit")
install(FILES "${CMAKE_SOURCE_DIR}/tools/natkit/natkit.socket" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/natkit/examples")

# Shells look for a completion under the name of the command.
set(programs mediarelay natclassify natkit-cluster natkit-web natpinger sdprewrite sipedge looptrace)
set(completions "${CMAKE_SOURCE_DIR}/completions")
install(FILES "${completions}/natkit.bash" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME natkit)
install(FILES "${completions}/natkit.fish" DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
install(FILES "${completions}/_natkit" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions")
install(CODE "set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}\")
foreach(program ${programs})
    file(CREATE_LINK natkit \"\${folder}/bash-completion/completions/\${program}\" SYMBOLIC)
    file(CREATE_LINK natkit.fish \"\${folder}/fish/vendor_completions.d/\${program}.fish\" SYMBOLIC)
endforeach()")

# The unit names the programs by their path. Under /usr (a package) it, the configuration and the rotation of logs lie where the
# system looks for them; elsewhere below the prefix, and the configuration is an example.
install(CODE "set(unit \"${CMAKE_BINARY_DIR}/natkit.service\")
file(READ \"${CMAKE_SOURCE_DIR}/tools/natkit/natkit.service\" text)
string(REPLACE /usr/bin/ \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/\" text \"\${text}\")
file(WRITE \"\${unit}\" \"\${text}\")
set(toml \"${CMAKE_SOURCE_DIR}/tools/natkit/natkit.toml\")
if(CMAKE_INSTALL_PREFIX STREQUAL /usr)
    file(INSTALL \"${packaging}/lintian-overrides\" DESTINATION /usr/share/lintian/overrides RENAME natkit)
    file(INSTALL \"\${unit}\" DESTINATION /lib/systemd/system)
    file(INSTALL \"\${toml}\" DESTINATION /etc/natkit)
    file(INSTALL \"${packaging}/logrotate\" DESTINATION /etc/logrotate.d RENAME natkit)
else()
    file(INSTALL \"\${unit}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/lib/systemd/system\")
    file(INSTALL \"\${toml}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/doc/natkit/examples\")
endif()")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME natkit)
set(CPACK_PACKAGE_VENDOR "the natkit authors")
set(CPACK_PACKAGE_CONTACT "the natkit authors <natkit@example.org>")
set(CPACK_PACKAGE_VERSION "${NATKIT_DEB_VERSION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "logrotate")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "SIP NAT traversal toolkit")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "natkit carries SIP calls through NATs: small programs over one library that
classify parties, rewrite SDP, relay media and keep NAT bindings open, each
useful in a pipe, and together an edge server in front of phones and PBXs.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${packaging}/postinst" "${packaging}/prerm" "${packaging}/postrm" "${packaging}/conffiles")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
include(CPack)
