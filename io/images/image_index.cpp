// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/images/image_index.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace crosvisor::io {

namespace {

constexpr std::size_t max_shown_owner = 256;

std::string mib(std::uint64_t bytes) {
  constexpr std::uint64_t one = 1u << 20;
  return std::to_string((bytes + one - 1) / one) + " MiB";
}

failure full(std::string sentence, const char* key) {
  return {EDQUOT, std::move(sentence) + " (images." + key + ')'};
}

} // namespace

std::uint64_t image_index::share::bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const auto* all : {&images, &uploads})
    for (const auto& [name, record] : *all)
      sum += record.size_bytes;
  return sum;
}

const image_index::share& image_index::share_of(const std::string& owner) const {
  static const share none;
  auto i = shares_.find(owner);
  return i == shares_.end() ? none : i->second;
}

void image_index::forget_if_empty(const std::string& owner) {
  if (auto i = shares_.find(owner); i != shares_.end() && i->second.count() == 0)
    shares_.erase(i);
}

void image_index::add(const std::string& owner, image_folder::content there) {
  auto& own = shares_[owner];
  for (auto& image : there.images)
    own.images.insert_or_assign(image.name, std::move(image));
  for (auto& upload : there.uploads)
    own.uploads.insert_or_assign(upload.name, std::move(upload));
  forget_if_empty(owner);
}

std::optional<failure> image_index::find_full(const std::string& owner, const share& own,
                                              std::uint64_t more) {
  auto who = printable(owner, max_shown_owner);
  if (own.uploads.size() >= bounds_.uploads_per_user) {
    ++refused_uploads_;
    return full(who + " has " + std::to_string(own.uploads.size())
                  + " uploads that are not finished, as many as one user may have",
                "uploads_per_user");
  }
  if (own.count() >= bounds_.per_user) {
    ++refused_count_;
    return full(who + " has " + std::to_string(own.count())
                  + " images, uploads included, as many as one user may have",
                "per_user");
  }
  if (more > bounds_.bytes_per_user || own.bytes() > bounds_.bytes_per_user - more) {
    ++refused_bytes_;
    return full(who + " has " + mib(own.bytes()) + " of images, and with " + mib(more)
                  + " more they were beyond the " + mib(bounds_.bytes_per_user)
                  + " that one user may have",
                "mib_per_user");
  }
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (const auto& [name, one] : shares_) {
    count += one.count();
    bytes += one.bytes();
  }
  if (count >= bounds_.in_all) {
    ++refused_in_all_;
    return full("there are " + std::to_string(count) + " images, as many as there may be", "most");
  }
  if (more > bounds_.bytes || bytes > bounds_.bytes - more) {
    ++refused_bytes_in_all_;
    return full("there are " + mib(bytes) + " of images, and with " + mib(more)
                  + " more they were beyond the " + mib(bounds_.bytes) + " that there may be",
                "mib");
  }
  return std::nullopt;
}

result<void> image_index::reserve(const std::string& owner, const image_record& wanted) {
  auto& own = shares_[owner];
  if (own.images.contains(wanted.name))
    return failure{EEXIST, "there is another image " + in_quotes(wanted.name)
                             + "; remove it, or choose another name"};
  auto before = own.uploads.extract(wanted.name);
  if (auto why = find_full(owner, own, wanted.size_bytes)) {
    ++own.refused;
    if (before)
      own.uploads.insert(std::move(before));
    forget_if_empty(owner);
    return *why;
  }
  own.uploads.emplace(wanted.name, wanted);
  return {};
}

const image_record* image_index::find(const std::string& owner, const std::string& name) const {
  const auto& own = share_of(owner);
  auto i = own.images.find(name);
  return i == own.images.end() ? nullptr : &i->second;
}

const image_record* image_index::find_upload(const std::string& owner,
                                             const std::string& name) const {
  const auto& own = share_of(owner);
  auto i = own.uploads.find(name);
  return i == own.uploads.end() ? nullptr : &i->second;
}

void image_index::store(const std::string& owner, const image_record& image) {
  auto& own = shares_[owner];
  own.uploads.erase(image.name);
  own.images.insert_or_assign(image.name, image);
}

void image_index::remove(const std::string& owner, const std::string& name) {
  if (auto i = shares_.find(owner); i != shares_.end())
    i->second.images.erase(name);
  forget_if_empty(owner);
}

void image_index::remove_upload(const std::string& owner, const std::string& name) {
  if (auto i = shares_.find(owner); i != shares_.end())
    i->second.uploads.erase(name);
  forget_if_empty(owner);
}

std::vector<image_index::entry> image_index::images(const std::optional<std::string>& owner) const {
  std::vector<entry> all;
  for (const auto& [whose, own] : shares_)
    if (!owner || *owner == whose)
      for (const auto& [name, record] : own.images)
        all.push_back({whose, record});
  return all;
}

std::vector<image_index::entry> image_index::uploads() const {
  std::vector<entry> all;
  for (const auto& [whose, own] : shares_)
    for (const auto& [name, record] : own.uploads)
      all.push_back({whose, record});
  return all;
}

std::vector<limit_info> image_index::limits(const std::optional<std::string>& owner) const {
  std::size_t count = 0, uploads = 0, in_all = 0;
  std::uint64_t bytes = 0, bytes_in_all = 0;
  for (const auto& [whose, own] : shares_) {
    if (owner && *owner != whose)
      continue;
    count = std::max(count, own.count());
    uploads = std::max(uploads, own.uploads.size());
    bytes = std::max(bytes, own.bytes());
    in_all += own.count();
    bytes_in_all += own.bytes();
  }
  auto refused = [&](std::uint64_t of_all) { return owner ? share_of(*owner).refused : of_all; };
  std::vector<limit_info> all{
    {"stored_images_per_user", "images.per_user", count, bounds_.per_user, refused(refused_count_)},
    {"stored_image_bytes_per_user", "images.mib_per_user", bytes, bounds_.bytes_per_user,
     refused(refused_bytes_)},
    {"image_uploads_per_user", "images.uploads_per_user", uploads, bounds_.uploads_per_user,
     refused(refused_uploads_)},
  };
  if (owner)
    return all;
  all.push_back({"stored_images", "images.most", in_all, bounds_.in_all, refused_in_all_});
  all.push_back(
    {"stored_image_bytes", "images.mib", bytes_in_all, bounds_.bytes, refused_bytes_in_all_});
  return all;
}

} // namespace crosvisor::io
