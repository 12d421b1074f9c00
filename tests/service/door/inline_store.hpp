// SPDX-License-Identifier: Apache-2.0
// An image store for a door's test: a real one, which does all at once.
#pragma once

#include "crosvisor/io/images/image_store.hpp"
#include "crosvisor/io/images/sha256.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

namespace crosvisor::tests {

inline std::shared_ptr<io::image_store> inline_store(const temp_dir& state,
                                                     const io::image_bounds& bounds = {}) {
  auto opened = io::image_store::open(state / "state", bounds,
                                      [](const io::image_store::task& what) { what(); });
  CAF_REQUIRE(static_cast<bool>(opened));
  return *opened;
}

inline std::string sum_of(const std::string& bytes) {
  io::sha256 sum;
  sum.add(bytes);
  return sum.digits();
}

/// Stores an image behind the door's back.
inline void store_image(io::image_store& store, const caller& whose, const std::string& name,
                        const std::string& bytes) {
  bool done = false;
  store.begin(whose, {name, bytes.size(), sum_of(bytes)}, [&](io::result<upload_place> place) {
    CAF_REQUIRE(static_cast<bool>(place));
    store.put(whose, {place->id, 0, bytes}, [](const io::result<std::uint64_t>&) {});
    store.finish(whose, place->id,
                 [&](const io::result<image_info>& stored) { done = static_cast<bool>(stored); });
  });
  CAF_REQUIRE(done);
}

} // namespace crosvisor::tests
