# SPDX-License-Identifier: Apache-2.0
# What is installed besides what is built, and Debian packages of it all, one for each component;
# see docs/install.md.

set(packaging "${PROJECT_SOURCE_DIR}/packaging")
set(made "${PROJECT_BINARY_DIR}/packaging")
set(share "${CMAKE_INSTALL_DATADIR}/crosvisor")

# -- the daemon's -------------------------------------------------------------------------------------

# Units name programs by their whole paths.
foreach(kind system user)
  if(kind STREQUAL user)
    set(units "${packaging}/systemd/user")
  else()
    set(units "${packaging}/systemd")
  endif()
  file(GLOB files CONFIGURE_DEPENDS "${units}/*.service" "${units}/*.socket" "${units}/*.slice")
  foreach(file IN LISTS files)
    cmake_path(GET file FILENAME name)
    file(READ "${file}" text)
    string(REPLACE "=/usr/bin/crosvisord" "=${CMAKE_INSTALL_FULL_BINDIR}/crosvisord" text "${text}")
    file(CONFIGURE OUTPUT "${made}/${kind}/${name}" CONTENT "${text}" @ONLY)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    install(FILES "${made}/${kind}/${name}" DESTINATION lib/systemd/${kind} COMPONENT daemon)
  endforeach()
endforeach()
install(FILES packaging/sysusers.conf DESTINATION lib/sysusers.d RENAME crosvisor.conf
  COMPONENT daemon)
install(FILES packaging/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME crosvisor.conf
  COMPONENT daemon)
install(FILES packaging/60-crosvisor.rules DESTINATION lib/udev/rules.d COMPONENT daemon)
install(FILES packaging/crosvisor.json DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/crosvisor-daemon"
  COMPONENT daemon)
# An administrator's own is a package's to keep.
option(CROSVISOR_INSTALL_CONFIG "Install /etc/crosvisor/crosvisor.json" OFF)
if(CROSVISOR_INSTALL_CONFIG)
  file(READ packaging/crosvisor.json text)
  string(REPLACE "\"groups\": []," "\"groups\": [\"crosvisor\"]," text "${text}")
  file(CONFIGURE OUTPUT "${made}/crosvisor.json" CONTENT "${text}" @ONLY)
  install(FILES "${made}/crosvisor.json" DESTINATION /etc/crosvisor COMPONENT daemon)
endif()

# -- the guest's ----------------------------------------------------------------------------------------

# Made by guest/build.sh, before or after this.
foreach(name vmlinux initramfs.cpio disk.raw demo.json tick.json serve.json demo.apk demo.apk.idsig)
  install(FILES "${PROJECT_SOURCE_DIR}/build/guest/${name}" DESTINATION ${share}/guest
    COMPONENT guest OPTIONAL)
endforeach()
# The operating system `microdroid` for apps; its definition names the others.
file(READ guest/os/microdroid.json text)
string(REPLACE "\"../" "\"../guest/" text "${text}")
file(CONFIGURE OUTPUT "${made}/os/microdroid.json" CONTENT "${text}" @ONLY)
install(FILES "${made}/os/microdroid.json" DESTINATION ${share}/os COMPONENT guest)

# -- packages -------------------------------------------------------------------------------------------

foreach(package cli:crosvisor daemon:crosvisor-daemon dev:libcrosvisor-dev guest:crosvisor-guest)
  string(REGEX MATCH "^[a-z]+" component "${package}")
  string(REGEX REPLACE "^[a-z]+:" "" name "${package}")
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(copyright packaging/debian/copyright)
  if(component STREQUAL guest)
    set(copyright packaging/debian/copyright.guest)
  endif()
  install(FILES ${copyright} DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/${name}" RENAME copyright
    COMPONENT ${component})
endforeach()

set(CPACK_GENERATOR DEB)
# Each component has its own.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_PACKAGE_CONTACT "The authors of crosvisor <crosvisor@localhost>")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_SOURCE_DIR}/build/packages")
set(CPACK_COMPONENTS_ALL cli daemon dev guest)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
# What is installed outside of the prefix is packaged, too.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX "${CMAKE_INSTALL_PREFIX}")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
# Each release of Debian has libraries of its own: 0.1.0-1~deb12.
cmake_host_system_information(RESULT release QUERY DISTRIB_VERSION_ID)
set(CPACK_DEBIAN_PACKAGE_RELEASE "1~deb${release}")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)

set(CPACK_DEBIAN_CLI_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_CLI_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_CLI_PACKAGE_RECOMMENDS "crosvisor-daemon, qemu-system-x86")
set(CPACK_DEBIAN_CLI_PACKAGE_SUGGESTS "crosvisor-guest")
set(CPACK_COMPONENT_CLI_DESCRIPTION "virtual machines as on Android: the command
`crosvisor` runs, lists, watches and stops virtual machines, by a daemon of this
host or another, or by itself, and makes and inspects their images.")

set(CPACK_DEBIAN_DAEMON_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_DAEMON_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DAEMON_PACKAGE_RECOMMENDS "nbdkit, qemu-system-x86")
set(CPACK_DEBIAN_DAEMON_PACKAGE_SUGGESTS "crosvisor, virtiofsd")
set(CPACK_DEBIAN_DAEMON_PACKAGE_CONTROL_EXTRA "${packaging}/debian/postinst;${packaging}/debian/prerm;${packaging}/debian/postrm;${packaging}/debian/conffiles")
set(CPACK_COMPONENT_DAEMON_DESCRIPTION "virtual machines as on Android: the daemon
crosvisord runs virtual machines for the users of a host, and for other hosts.
With the programs that run beside each: a keeper, a vsock device in user space,
and the nbdkit plugin for crosvm's composite disks.")

set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libcaf-dev (>= 0.17.6), libcaf-dev (<< 0.18), libexpat1-dev, libprotobuf-dev, libssl-dev, libzip-dev")
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS "cmake, crosvisor-daemon")
set(CPACK_COMPONENT_DEV_DESCRIPTION "virtual machines as on Android: the library
For applications on the C++ Actor Framework, which run virtual machines in their
own process, or speak to a daemon by typed messages.")

set(CPACK_DEBIAN_GUEST_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_GUEST_PACKAGE_RECOMMENDS "crosvisor")
set(CPACK_COMPONENT_GUEST_DESCRIPTION "virtual machines as on Android: a small guest
Debian's kernel with busybox: a demonstration, and the operating system
`microdroid`, which runs the payloads of signed apps.")
include(CPack)
