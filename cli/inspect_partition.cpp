// SPDX-License-Identifier: Apache-2.0
// Writable partitions for guests: instance images and encrypted stores.
#include "crosvisor/cli/inspected_file.hpp"
#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/messages/image_spec.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <utility>

namespace crosvisor::cli {

namespace {

/// The layout is Android's (guest/microdroid_manager/src/instance.rs in AOSP's Virtualization): a
/// header of a sector, then partitions of a header of a sector and what it says of bytes, filled up
/// to whole sectors.
constexpr std::uint64_t sector = 512;
constexpr std::size_t version_at = 19; ///< Behind `Android-VM-instance`.
constexpr std::size_t most_partitions = 64;

/// Whose a partition is.
constexpr std::pair<std::string_view, const char*> owners[] = {
  {"cf9afe9a-0662-11ec-a329-c32663a09d75", "microdroid"},
  {"90d2174a-038a-4bc6-adf3-824848fc5825", "pvmfw"},
  {"b2a3c1de-5d0f-4b0c-9c5e-6f1a8d3e7c42", "crosvisor's guest"},
};

std::string owner_of(const std::string& uuid) {
  for (const auto& [id, name] : owners)
    if (id == uuid)
      return name;
  return "unknown";
}

class instance_reader {
public:
  instance_reader(const inspected_file& file, inspection& found) : file_(file), found_(found) {}

  void run() {
    auto head = io::read_at(file_.fd.get(), 0, sector);
    if (!head)
      return complain(head.why().what);
    if (head->size() < sector)
      return complain("has no room for its header of 512 bytes");
    auto version = io::little_endian<std::uint16_t>(*head, version_at);
    found_.facts["version"] = version;
    if (version != 1)
      return complain("has version " + std::to_string(version) + "; known is 1");
    auto list = ordered_facts::array();
    while (auto partition = next()) {
      if (list.size() == most_partitions) {
        found_.remarks.push_back("only the first " + std::to_string(most_partitions)
                                 + " partitions are shown");
        break;
      }
      list.push_back(std::move(*partition));
    }
    found_.facts["used_bytes"] = std::min(at_, file_.size_bytes);
    found_.facts["partitions"] = std::move(list);
  }

private:
  void complain(const std::string& what) { found_.problems.push_back(what); }

  /// Nothing where there are no more.
  std::optional<ordered_facts> next() {
    if (at_ > file_.size_bytes || file_.size_bytes - at_ < sector)
      return std::nullopt;
    auto head = io::read_at(file_.fd.get(), at_, sector);
    if (!head) {
      complain(head.why().what);
      return std::nullopt;
    }
    io::guid uuid;
    std::copy_n(head->begin(), std::min(head->size(), uuid.bytes.size()), uuid.bytes.begin());
    if (uuid == io::guid{})
      return std::nullopt;
    auto bytes = io::little_endian<std::uint64_t>(*head, uuid.bytes.size());
    auto begin = at_ + sector;
    if (bytes > file_.size_bytes - begin) {
      complain("the partition at " + std::to_string(at_) + " has " + std::to_string(bytes)
               + " bytes, more than the image");
      at_ = file_.size_bytes;
    } else {
      at_ = begin + (bytes + sector - 1) / sector * sector;
    }
    auto id = lower_case(uuid);
    return ordered_facts{
      {"offset", begin}, {"size_bytes", bytes}, {"uuid", id}, {"owner", owner_of(id)}};
  }

  const inspected_file& file_;
  inspection& found_;
  std::uint64_t at_ = sector;
};

} // namespace

std::string lower_case(const io::guid& id) {
  auto text = to_string(id);
  for (auto& letter : text)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return text;
}

inspection inspect_instance(const inspected_file& file) {
  inspection found{"instance", ordered_facts::object(), {}, {}};
  instance_reader{file, found}.run();
  return found;
}

inspection inspect_encryptedstore(const inspected_file& file) {
  inspection found{"encryptedstore", {{"formatted", false}}, {}, {}};
  found.remarks.push_back("a guest formats it, and then nobody else can tell it from noise");
  if (file.size_bytes % partition_block_bytes != 0)
    found.problems.push_back("has " + std::to_string(file.size_bytes) + " bytes, no multiple of "
                             + std::to_string(partition_block_bytes));
  return found;
}

} // namespace crosvisor::cli
