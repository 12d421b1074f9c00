# SPDX-License-Identifier: Apache-2.0
# libcrosvisor, for applications: one archive of all that they need, the headers of its interface,
# and find_package(crosvisor) with the target crosvisor::crosvisor. See docs/embedding.md.

set(parts crosvisor_values crosvisor_messages crosvisor_text crosvisor_config crosvisor_disk
  composite_proto crosvisor_apk crosvisor_payload metadata_proto crosvisor_io crosvisor_actors
  crosvisor_transport crosvisor_service)
list(TRANSFORM parts REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)

# By their names alone: crosvisor-config.cmake says which is missing.
set(CROSVISOR_LINKED_LIBRARIES ssl crypto zip expat protobuf-lite)

add_library(libcrosvisor STATIC ${objects})
add_library(crosvisor::crosvisor ALIAS libcrosvisor)
set_target_properties(libcrosvisor PROPERTIES OUTPUT_NAME crosvisor EXPORT_NAME crosvisor
  LINKER_LANGUAGE CXX)
target_compile_features(libcrosvisor INTERFACE cxx_std_20)
target_include_directories(libcrosvisor INTERFACE
  "$<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>"
  "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
target_link_libraries(libcrosvisor INTERFACE CAF::io CAF::core ${CROSVISOR_LINKED_LIBRARIES})

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/crosvisor")
install(TARGETS libcrosvisor EXPORT crosvisor-targets COMPONENT dev)
install(EXPORT crosvisor-targets NAMESPACE crosvisor:: DESTINATION ${package_dir} COMPONENT dev)

include(CMakePackageConfigHelpers)
configure_package_config_file(cmake/crosvisor-config.cmake.in crosvisor-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(crosvisor-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/crosvisor-config.cmake"
    "${PROJECT_BINARY_DIR}/crosvisor-config-version.cmake" cmake/FindCAF.cmake
  DESTINATION ${package_dir} COMPONENT dev)

# crosvisor.hpp, and what it includes; no more is promised to anybody.
set(headers
  crosvisor.hpp
  actors/cid_pool.hpp actors/timeouts.hpp io/backend.hpp io/config/json_document.hpp
  io/config/open_vm_files.hpp io/config/vm_config_file.hpp io/descriptor_set.hpp
  io/disk/composite_disk.hpp io/host/installed_file.hpp io/image_builder.hpp
  io/images/image_folder.hpp io/images/image_index.hpp io/job_control.hpp io/log/log_bounds.hpp
  io/log/log_store.hpp io/result.hpp io/stream/credited_socket.hpp io/stream/outflow.hpp
  io/tickets/ticket_store.hpp io/unique_fd.hpp io/vmm/confinement.hpp messages/atoms.hpp
  messages/caller.hpp messages/device_config.hpp messages/door_messages.hpp messages/error.hpp
  messages/file_ref.hpp messages/fwd.hpp messages/host_info.hpp messages/image_spec.hpp
  messages/interfaces.hpp messages/limit_info.hpp messages/local_types.hpp messages/metrics.hpp
  messages/payload_status.hpp messages/register_types.hpp messages/stored_image.hpp
  messages/stream_piece.hpp messages/type_ids.hpp messages/vm_config.hpp messages/vm_event.hpp
  messages/vm_history.hpp messages/vm_info.hpp messages/vm_state.hpp service/bounds.hpp
  service/caller_directory.hpp service/connection.hpp service/directories.hpp
  service/embedded_service.hpp service/endpoint.hpp service/process_dir.hpp service/service.hpp
  service/service_host.hpp service/stream_client.hpp service/transport/tls_identity.hpp
  service/transport/transport.hpp)
foreach(header IN LISTS headers)
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${header} DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/crosvisor/${folder}"
    COMPONENT dev)
endforeach()

install(DIRECTORY examples/ DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/libcrosvisor-dev/examples"
  COMPONENT dev)
