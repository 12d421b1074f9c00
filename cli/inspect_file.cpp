// SPDX-License-Identifier: Apache-2.0
// What a file is, by its bytes.
#include "crosvisor/cli/inspected_file.hpp"
#include "crosvisor/io/apk/zip_directory.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/byte_order.hpp"
#include "crosvisor/io/disk/gpt.hpp"
#include "crosvisor/io/disk/image_header.hpp"
#include "crosvisor/io/disk/image_size.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/payload/metadata.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace crosvisor::cli {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t looked_at = 1024;

/// "" where it can't be read; then whoever looks closer says so.
std::string bytes_at(const inspected_file& file, std::uint64_t offset, std::size_t size) {
  auto bytes = io::read_at(file.fd.get(), offset, size);
  return bytes ? std::move(*bytes) : std::string{};
}

/// One that was cut short still begins as a ZIP does; one with something before it still ends so.
bool is_zip(const inspected_file& file, std::string_view first) {
  if (!file.is_regular)
    return false;
  if (first.starts_with("PK\x03\x04"sv) || first.starts_with("PK\x05\x06"sv))
    return true;
  auto size = std::min<std::uint64_t>(file.size_bytes, io::max_zip_end_bytes);
  auto last = bytes_at(file, file.size_bytes - size, static_cast<std::size_t>(size));
  auto directory = io::find_zip_directory(last, file.size_bytes);
  return directory && directory->has_value();
}

/// Either header, the one at the disk's end only of a disk that begins with an MBR.
bool is_gpt(const inspected_file& file, std::string_view first) {
  if (first.substr(std::min(io::gpt_sector_bytes, first.size())).starts_with(io::gpt_signature))
    return true;
  auto sectors = file.size_bytes / io::gpt_sector_bytes;
  return sectors > 2 && first.substr(510).starts_with("\x55\xaa")
         && bytes_at(file, (sectors - 1) * io::gpt_sector_bytes, 8) == io::gpt_signature;
}

/// Version 2, or none yet, a hashing info of a size that it can have, and in it the numbers of
/// SHA-256 and of blocks of 4096 bytes: so one that is damaged further on is still known.
bool is_idsig(const inspected_file& file, std::string_view first) {
  constexpr std::uint32_t least_bytes = 4 + 1 + 4 + 4 + 32;
  auto version = io::little_endian<std::uint32_t>(first, 0);
  auto bytes = io::little_endian<std::uint32_t>(first, 4);
  return file.is_regular && (version == 2 || version == 0) && bytes >= least_bytes
         && bytes <= least_bytes + io::max_salt_bytes
         && io::little_endian<std::uint32_t>(first, 8) == 1
         && io::little_endian<std::uint8_t>(first, 12) == 12;
}

ordered_facts facts_of(const io::payload_metadata& from) {
  ordered_facts facts{{"version", from.version}};
  if (from.payload_binary.empty()) {
    facts["config_path"] = from.config_path;
  } else {
    facts["payload_binary"] = from.payload_binary;
    facts["extra_apk_count"] = from.extra_apk_count;
  }
  facts["apk"] = {{"name", from.apk_name},
                  {"partition", from.apk_partition},
                  {"idsig_partition", from.idsig_partition}};
  facts["apexes"] = ordered_facts::array();
  for (const auto& apex : from.apexes)
    facts["apexes"].push_back({{"factory", apex.factory},
                               {"last_update_seconds", apex.last_update_seconds},
                               {"partition", apex.partition},
                               {"name", apex.name}});
  return facts;
}

/// It has no mark; what isn't sound is not seen to be one. Otherwise it is raw.
inspection inspect_unmarked(const inspected_file& file) {
  // Its length has a zero first; nothing else is read for it.
  if (bytes_at(file, 0, 1) != "\0"sv)
    return {};
  auto metadata = io::parse_payload_metadata(bytes_at(file, 0, 4 + io::max_metadata_bytes));
  if (!metadata)
    return {};
  inspection found{"payload_metadata", facts_of(*metadata), {}, {}};
  if (metadata->config_path.empty() && metadata->payload_binary.empty())
    found.problems.emplace_back("names neither a configuration nor a payload");
  if (metadata->apk_partition.empty() || metadata->idsig_partition.empty())
    found.problems.emplace_back("names no partition for the APK or its idsig");
  return found;
}

} // namespace

io::result<inspected_file> inspected_file::open(const std::string& path) {
  auto shown = io::printable(path, 4096);
  inspected_file opened{path, {}, 0, false};
  opened.fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!opened.fd)
    return io::failure{errno,
                       shown + ": " + (errno == ENOENT ? "no such file" : std::strerror(errno))};
  auto size = io::file_size(opened.fd.get());
  if (!size)
    return io::failure{size.why().code, shown + ": " + size.why().what};
  struct stat is {};
  opened.size_bytes = *size;
  opened.is_regular = ::fstat(opened.fd.get(), &is) == 0 && S_ISREG(is.st_mode);
  return opened;
}

inspection inspect_file(const inspected_file& file) {
  auto first = io::read_at(file.fd.get(), 0, looked_at);
  if (!first)
    return {"raw", ordered_facts::object(), {}, {first.why().what}};
  switch (io::parse_image_header(*first).magic) {
    case io::image_magic::composite: return inspect_composite(file);
    case io::image_magic::qcow2: return inspect_qcow2(file);
    case io::image_magic::android_sparse: return inspect_sparse(file);
    case io::image_magic::zstd:
      return {"zstd", ordered_facts::object(), {"it is not looked into"}, {}};
    case io::image_magic::none: break;
  }
  if (is_zip(file, *first))
    return inspect_apk(file);
  if (first->starts_with("Android-VM-instance"))
    return inspect_instance(file);
  if (first->starts_with("UNFORMATTED-STORAGE"))
    return inspect_encryptedstore(file);
  if (is_gpt(file, *first))
    return inspect_gpt(file);
  return is_idsig(file, *first) ? inspect_idsig(file) : inspect_unmarked(file);
}

} // namespace crosvisor::cli
