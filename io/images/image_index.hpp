// SPDX-License-Identifier: Apache-2.0
// What images there are, and how many more there may be.
#pragma once

#include "crosvisor/io/images/image_folder.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/messages/limit_info.hpp"
#include "crosvisor/messages/stored_image.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace crosvisor::io {

/// How much may be stored. "User" stands for a principal. What an upload is to become counts from
/// its beginning.
struct image_bounds {
  std::size_t per_user = 64;
  std::size_t in_all = 1024;
  std::uint64_t bytes_per_user = std::uint64_t{16} << 30;
  std::uint64_t bytes = std::uint64_t{64} << 30;
  /// Not finished ones.
  std::size_t uploads_per_user = 8;
  /// How long nobody may go on with an upload; then it is removed.
  std::chrono::seconds upload_age = std::chrono::hours{24};
};

/// What images and uploads there are, by owner (to_string(caller)) and name. Use from one thread at
/// a time.
class image_index {
public:
  explicit image_index(const image_bounds& bounds) : bounds_(bounds) {}

  /// Adds what is there, whatever the bounds are.
  void add(const std::string& owner, image_folder::content there);

  /// Makes room for an upload, in the place of one of its name. EEXIST: there is an image of that
  /// name; EDQUOT: a bound is reached, whose key is in the sentence.
  result<void> reserve(const std::string& owner, const image_record& wanted);

  const image_record* find(const std::string& owner, const std::string& name) const;
  const image_record* find_upload(const std::string& owner, const std::string& name) const;

  /// An upload has become this image, or an image is now this one.
  void store(const std::string& owner, const image_record& image);

  void remove(const std::string& owner, const std::string& name);
  void remove_upload(const std::string& owner, const std::string& name);

  struct entry {
    std::string owner;
    image_record record;
  };

  /// By owner and name; everybody's without one.
  std::vector<entry> images(const std::optional<std::string>& owner) const;
  std::vector<entry> uploads() const;

  /// All bounds as they are, or with somebody named what they have of those for each user.
  std::vector<limit_info> limits(const std::optional<std::string>& owner) const;

private:
  using records = std::map<std::string, image_record>;

  struct share {
    records images;
    records uploads;
    std::uint64_t refused = 0;
    std::size_t count() const noexcept { return images.size() + uploads.size(); }
    std::uint64_t bytes() const noexcept;
  };

  std::optional<failure> find_full(const std::string& owner, const share& own, std::uint64_t more);
  void forget_if_empty(const std::string& owner);
  const share& share_of(const std::string& owner) const;

  image_bounds bounds_;
  std::map<std::string, share> shares_;
  std::uint64_t refused_count_ = 0; ///< For each user, as the next three are named.
  std::uint64_t refused_bytes_ = 0;
  std::uint64_t refused_uploads_ = 0;
  std::uint64_t refused_in_all_ = 0;
  std::uint64_t refused_bytes_in_all_ = 0;
};

} // namespace crosvisor::io
