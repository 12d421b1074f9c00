# SPDX-License-Identifier: Apache-2.0
# What every target of the project has in common.

# Headers are included as "crosvisor/<folder>/<file>.hpp"; this link gives them that prefix.
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/include")
file(CREATE_LINK "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}/include/crosvisor" SYMBOLIC)

# ccache(1): "PRECOMPILED HEADERS" needs the sloppiness; with paths taken relative to the source root,
# another build folder, or another clone, finds what this one compiled.
find_program(CCACHE_PROGRAM ccache)
mark_as_advanced(CCACHE_PROGRAM)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
    "CCACHE_SLOPPINESS=pch_defines,time_macros"
    "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" "CCACHE_NOHASHDIR=1" "${CCACHE_PROGRAM}")
endif()

add_library(crosvisor_options INTERFACE)
target_compile_features(crosvisor_options INTERFACE cxx_std_20)
target_include_directories(crosvisor_options INTERFACE
  "$<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>")
target_compile_options(crosvisor_options INTERFACE
  $<BUILD_INTERFACE:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wextra-semi -Werror -fstack-protector-strong
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>>)
# The thread sanitizer does not know the fences that Boost.Asio has besides its locks.
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=thread")
  target_compile_options(crosvisor_options INTERFACE -Wno-tsan)
endif()
# GCC 12 sees overflows and uninitialized values in std::string once it optimises (its bugs 105329,
# 105651 and 105562), and any of GCC's releases in what a sanitizer instruments, such as std::regex.
set(seen_by_mistake
  "-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-array-bounds;-Wno-maybe-uninitialized")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  target_compile_options(crosvisor_options INTERFACE $<BUILD_INTERFACE:${seen_by_mistake}>)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(crosvisor_options INTERFACE
    $<BUILD_INTERFACE:$<$<NOT:$<CONFIG:Debug>>:${seen_by_mistake}>>)
endif()
target_compile_definitions(crosvisor_options INTERFACE
  $<BUILD_INTERFACE:CROSVISOR_VERSION="${PROJECT_VERSION}" BOOST_ASIO_NO_DEPRECATED
  $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>>)

# Steps at which tests have a process fail (io/failpoint.hpp); nothing that is installed has them.
if(CROSVISOR_BUILD_TESTS)
  target_compile_definitions(crosvisor_options INTERFACE $<BUILD_INTERFACE:CROSVISOR_FAILPOINTS>)
endif()

# What it costs most to parse, and nothing of the project itself.
set(CROSVISOR_CAF_PCH
  <caf/actor_system.hpp> <caf/actor_system_config.hpp> <caf/event_based_actor.hpp> <caf/scoped_actor.hpp>
  <caf/send.hpp> <caf/stateful_actor.hpp> <caf/typed_actor.hpp> <caf/typed_event_based_actor.hpp>
  <caf/typed_response_promise.hpp> <caf/error.hpp> <caf/type_id.hpp>)

# crosvisor_library(<name> SOURCES ... [LINK ...] [PRIVATE ...] [PCH ... | PCH_FROM <target>])
#
# One target per folder. A precompiled header is made once and reused by those who name its target.
function(crosvisor_library name)
  cmake_parse_arguments(ARG "" "PCH_FROM" "SOURCES;LINK;PRIVATE;PCH" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC crosvisor_options ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
  if(ARG_PCH)
    target_precompile_headers(${name} PRIVATE ${ARG_PCH})
  elseif(ARG_PCH_FROM)
    target_precompile_headers(${name} REUSE_FROM ${ARG_PCH_FROM})
  endif()
endfunction()

# crosvisor_protobuf(<name> <file.proto>)
#
# The messages of one file as a library, whose header is included as "crosvisor/<folder>/<file>.pb.h".
# What protoc makes is not held to our warnings.
function(crosvisor_protobuf name proto)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  get_filename_component(stem ${proto} NAME_WE)
  set(root ${PROJECT_BINARY_DIR}/proto/crosvisor)
  set(made ${root}/${folder}/${stem}.pb)
  file(MAKE_DIRECTORY ${root})
  add_custom_command(OUTPUT ${made}.cc ${made}.h DEPENDS ${proto} VERBATIM
    COMMAND protobuf::protoc --proto_path=${PROJECT_SOURCE_DIR} --cpp_out=${root}
      ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
    COMMENT "Generating ${folder}/${stem}.pb")
  add_library(${name} STATIC ${made}.cc ${made}.h)
  target_compile_features(${name} PUBLIC cxx_std_20)
  target_compile_options(${name} PRIVATE -w)
  target_include_directories(${name} SYSTEM INTERFACE ${PROJECT_BINARY_DIR}/proto)
  target_include_directories(${name} PRIVATE ${root})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf-lite)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()
