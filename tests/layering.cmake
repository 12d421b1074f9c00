# SPDX-License-Identifier: Apache-2.0
# Checks one folder's includes: cmake -DROOT=... -DFOLDER=io -DFORBIDDEN="regex" -P layering.cmake
# Fails on a forbidden include, and when there was nothing to check.

file(GLOB_RECURSE sources "${ROOT}/${FOLDER}/*.hpp" "${ROOT}/${FOLDER}/*.cpp")
if(EXCEPT)
  list(FILTER sources EXCLUDE REGEX "${EXCEPT}")
endif()
list(LENGTH sources count)
if(count EQUAL 0)
  message(FATAL_ERROR "${FOLDER}: no sources to check")
endif()

set(broken 0)
foreach(source IN LISTS sources)
  file(STRINGS "${source}" includes REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]")
  foreach(line IN LISTS includes)
    if(line MATCHES "[<\"](${FORBIDDEN})")
      file(RELATIVE_PATH shown "${ROOT}" "${source}")
      message(SEND_ERROR "${shown}: ${line}: ${FOLDER}/ must not know this")
    endif()
  endforeach()
endforeach()
message(STATUS "${FOLDER}: ${count} sources checked")
