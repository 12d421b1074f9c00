// SPDX-License-Identifier: Apache-2.0
// The descriptors that travel with a request.
#pragma once

#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace crosvisor::io {

/// Owns the descriptors that a configuration's file_refs count into. Filled by the client, then
/// given to one VM, which alone uses it; closing them is what lets go of locks and files.
class descriptor_set {
public:
  /// Adds `fd` and returns the index for a file_ref.
  std::uint32_t add(unique_fd fd) {
    fds_.push_back(std::move(fd));
    return static_cast<std::uint32_t>(fds_.size() - 1);
  }

  /// Adds what a stored image of this name is to stand for, and returns the index. There is no
  /// descriptor until it is put there.
  std::uint32_t add_stored_image(std::string name) {
    auto index = add({});
    stored_images_.emplace(index, std::move(name));
    return index;
  }

  /// The stored images that were added and not put yet, by index.
  const std::map<std::uint32_t, std::string>& stored_images() const noexcept {
    return stored_images_;
  }

  /// Puts the descriptor of a stored image where that was added.
  void put(std::uint32_t index, unique_fd fd) {
    stored_images_.erase(index);
    fds_.at(index) = std::move(fd);
  }

  /// The descriptor at `index`, still owned here; -1 when there is none.
  int get(std::uint32_t index) const noexcept {
    return index < fds_.size() ? fds_[index].get() : -1;
  }

  std::size_t size() const noexcept { return fds_.size(); }

  /// Others of the same open files, with the same indices, close-on-exec. All or none: EMFILE.
  result<descriptor_set> duplicate() const;

  /// Hands them all over.
  std::vector<unique_fd> release() noexcept {
    stored_images_.clear();
    return std::exchange(fds_, {});
  }

  /// Closes them all.
  void clear() noexcept {
    stored_images_.clear();
    fds_.clear();
  }

private:
  std::vector<unique_fd> fds_;
  std::map<std::uint32_t, std::string> stored_images_;
};

} // namespace crosvisor::io
