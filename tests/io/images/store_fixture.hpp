// SPDX-License-Identifier: Apache-2.0
// An image store in a folder of its own, which does all in the thread that asks.
#pragma once

#include "crosvisor/io/images/image_store.hpp"
#include "crosvisor/io/images/sha256.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#include <cerrno>
#include <cstring>

namespace crosvisor::tests {

inline std::string sum_of(const std::string& bytes) {
  io::sha256 sum;
  sum.add(bytes);
  return sum.digits();
}

/// Bytes that differ from one place to the next.
inline std::string some_bytes(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) {
    seed = seed * 1'103'515'245 + 12'345;
    byte = static_cast<char>(seed >> 16);
  }
  return bytes;
}

struct store_fixture {
  temp_dir dir;
  io::image_bounds bounds;
  std::shared_ptr<io::image_store> store;
  caller alice{caller_kind::socket, 1000, 1000, {}, 1, "", ""};
  caller bob{caller_kind::certificate, 0, 0, {}, 0, "", "CN=bob,O=Example"};

  /// One that finds what the one before left.
  void open() {
    store = nullptr;
    auto opened =
      io::image_store::open(dir / "state", bounds, [](io::image_store::task what) { what(); });
    if (opened)
      store = *opened;
  }

  template <class T>
  static io::image_store::completion<T> into(std::optional<io::result<T>>& to) {
    return [&to](io::result<T> got) { to.emplace(std::move(got)); };
  }

  io::result<upload_place> begin(const caller& who, const std::string& name,
                                 const std::string& bytes) {
    std::optional<io::result<upload_place>> got;
    store->begin(who, {name, bytes.size(), sum_of(bytes)}, into(got));
    return std::move(*got);
  }

  io::result<std::uint64_t> put(const caller& who, std::uint64_t id, std::uint64_t offset,
                                std::string bytes) {
    std::optional<io::result<std::uint64_t>> got;
    store->put(who, {id, offset, std::move(bytes)}, into(got));
    return std::move(*got);
  }

  io::result<image_info> finish(const caller& who, std::uint64_t id) {
    std::optional<io::result<image_info>> got;
    store->finish(who, id, into(got));
    return std::move(*got);
  }

  /// What is left of an upload.
  io::result<image_info> go_on(const caller& who, const upload_place& from,
                               const std::string& bytes) {
    for (auto at = from.offset; at < bytes.size();) {
      auto next = put(who, from.id, at, bytes.substr(at, max_image_piece_bytes));
      if (!next)
        return next.why();
      at = *next;
    }
    return finish(who, from.id);
  }

  io::result<image_info> push(const caller& who, const std::string& name,
                              const std::string& bytes) {
    auto place = begin(who, name, bytes);
    return place ? go_on(who, *place, bytes) : place.why();
  }

  std::vector<image_info> list(const caller* of) {
    std::optional<io::result<std::vector<image_info>>> got;
    store->list(of, into(got));
    return *got ? std::move(**got) : std::vector<image_info>{};
  }

  /// Their names, joined by blanks.
  std::string names(const caller* of) {
    std::string all;
    for (const auto& one : list(of))
      all += (all.empty() ? "" : " ") + one.name;
    return all;
  }

  io::result<image_part> read(const caller& who, const std::string& name, std::uint64_t offset) {
    std::optional<io::result<image_part>> got;
    store->read(who, {name, offset}, into(got));
    return std::move(*got);
  }

  std::string pull(const caller& who, const std::string& name) {
    std::string bytes;
    for (;;) {
      auto part = read(who, name, bytes.size());
      if (!part)
        return "failed: " + part.why().what;
      if (part->bytes.empty())
        return bytes;
      bytes += part->bytes;
    }
  }

  io::result<std::monostate> remove(const caller& who, const std::string& name) {
    std::optional<io::result<std::monostate>> got;
    store->remove(who, name, into(got));
    return std::move(*got);
  }

  io::result<std::vector<io::unique_fd>> open_images(const caller& who,
                                                     std::vector<io::wanted_image> wanted) {
    std::optional<io::result<std::vector<io::unique_fd>>> got;
    store->open_images(who, std::move(wanted), into(got));
    return std::move(*got);
  }

  io::result<io::unique_fd> make(const caller& who, const std::string& name, std::uint64_t size) {
    std::optional<io::result<io::unique_fd>> got;
    store->make(who, name, size, into(got));
    return std::move(*got);
  }

  io::result<std::monostate> end_making(const caller& who, const std::string& name, bool keep) {
    std::optional<io::result<std::monostate>> got;
    store->end_making(who, name, keep, into(got));
    return std::move(*got);
  }

  static std::uint64_t offset_of(const io::result<upload_place>& place) {
    return place ? place->offset : ~std::uint64_t{0};
  }

  std::uint64_t version_of(const std::string& name, std::uint64_t offset = 0) {
    auto part = read(alice, name, offset);
    return part ? part->version : ~std::uint64_t{0};
  }

  std::uint64_t used(const std::string& limit, const caller* of = nullptr) {
    for (const auto& one : store->limits(of))
      if (one.name == limit)
        return one.used;
    return ~std::uint64_t{0};
  }

  /// `done`, or `EINVAL: why`.
  template <class T>
  static std::string words(const io::result<T>& got) {
    return got ? "done" : std::string{::strerrorname_np(got.why().code)} + ": " + got.why().what;
  }
};

} // namespace crosvisor::tests
