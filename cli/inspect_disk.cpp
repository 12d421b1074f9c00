// SPDX-License-Identifier: Apache-2.0
// Disks: composite ones, GPTs, qcow2 and sparse images.
#include "crosvisor/cli/inspected_file.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/composite_reader.hpp"
#include "crosvisor/io/disk/gpt.hpp"
#include "crosvisor/io/disk/gpt_reader.hpp"
#include "crosvisor/io/disk/image_header.hpp"
#include "crosvisor/io/disk/image_size.hpp"
#include "crosvisor/io/disk/qcow2.hpp"
#include "crosvisor/io/disk/sparse_header.hpp"
#include "crosvisor/io/disk/sparse_image.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>

namespace crosvisor::cli {

namespace {

inspection broken(const char* format, const io::failure& why) {
  return {format, ordered_facts::object(), {}, {why.what}};
}

/// Whether what begins at an offset of the disk can be written; nothing where nobody can say.
using writable_at = std::function<bool(std::uint64_t)>;

/// In bytes; a stranger's numbers may be any.
ordered_facts place_of(const io::gpt_entry& entry) {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max() / io::gpt_sector_bytes;
  if (entry.first_sector > entry.last_sector || entry.last_sector >= most)
    return {{"offset", nullptr}, {"size_bytes", nullptr}};
  return {{"offset", entry.first_sector * io::gpt_sector_bytes},
          {"size_bytes", (entry.last_sector - entry.first_sector + 1) * io::gpt_sector_bytes}};
}

ordered_facts partitions_of(const io::gpt_contents& table, const writable_at& writable) {
  auto partitions = ordered_facts::array();
  for (const auto& entry : table.partitions) {
    ordered_facts partition{{"number", entry.number}};
    partition.update(place_of(entry));
    if (writable)
      partition["writable"] = partition["offset"].is_number()
                                ? ordered_facts(writable(partition["offset"].get<std::uint64_t>()))
                                : ordered_facts();
    partition["guid"] = to_string(entry.id);
    partition["type"] = to_string(entry.type);
    partition["label"] = entry.label;
    partitions.push_back(std::move(partition));
  }
  return partitions;
}

/// Adds a disk's GPT; its problems to what they are taken for.
/// @returns whether there is one.
bool add_gpt(const io::byte_source& disk, std::uint64_t size_bytes, const writable_at& writable,
             inspection& to) {
  auto table = io::read_gpt(disk, size_bytes);
  if (!table) {
    to.problems.push_back("the disk " + table.why().what);
    return false;
  }
  to.facts["disk_guid"] = to_string(table->disk);
  to.facts["partitions"] = partitions_of(*table, writable);
  to.problems.insert(to.problems.end(), table->problems.begin(), table->problems.end());
  return true;
}

/// What crosvm itself writes is no problem of a disk that only crosvm and we assemble.
void take_for_remark(const std::string& problem, inspection& to) {
  auto at = std::find(to.problems.begin(), to.problems.end(), problem);
  if (at == to.problems.end())
    return;
  to.problems.erase(at);
  to.remarks.push_back(problem + ", as crosvm writes it");
}

std::string folder_of(const std::string& path) {
  auto slash = path.rfind('/');
  return slash == path.npos ? "." : path.substr(0, slash + 1);
}

/// Looks at the components of a composite disk, each for itself.
class component_check {
public:
  component_check(const io::composite_file& disk, std::string folder)
      : disk_(disk), folder_(std::move(folder)) {}

  void run(inspection& to) const {
    auto list = ordered_facts::array();
    for (std::size_t i = 0; i < disk_.components.size(); ++i) {
      const auto& one = disk_.components[i];
      auto bytes = available(one);
      if (!bytes)
        complain(i, bytes.why().what, to);
      else if (*bytes < one.file_offset || *bytes - one.file_offset < size_of(i))
        complain(i,
                 "has " + std::to_string(*bytes) + " bytes; the disk takes "
                   + std::to_string(size_of(i)) + " from " + std::to_string(one.file_offset)
                   + " on",
                 to);
      list.push_back({{"number", i},
                      {"offset", one.offset},
                      {"size_bytes", size_of(i)},
                      {"writable", one.writable},
                      {"file_offset", one.file_offset},
                      {"available_bytes", bytes ? ordered_facts(*bytes) : ordered_facts()},
                      {"path", one.path}});
    }
    to.facts["components"] = std::move(list);
  }

private:
  void complain(std::size_t number, const std::string& what, inspection& to) const {
    to.problems.push_back("component " + std::to_string(number) + " "
                          + io::in_quotes(disk_.components[number].path) + ": " + what);
  }

  std::uint64_t size_of(std::size_t number) const {
    auto last = number + 1 == disk_.components.size();
    return (last ? disk_.size_bytes : disk_.components[number + 1].offset)
           - disk_.components[number].offset;
  }

  /// Its own bytes, a sparse image's unfolded.
  io::result<std::uint64_t> available(const io::composite_component& of) const {
    // Opening some devices does something, such as starting a watchdog.
    struct stat is {};
    auto whole = of.path.starts_with('/') ? of.path : folder_ + '/' + of.path;
    if (::stat(whole.c_str(), &is) != 0)
      return io::failure{errno, errno == ENOENT ? "no such file" : std::strerror(errno)};
    if (!S_ISREG(is.st_mode) && !S_ISBLK(is.st_mode))
      return io::failure{0, "is neither a regular file nor a block device"};
    auto fd = io::open_disk_file(of.path, folder_, false);
    if (!fd)
      return fd.why();
    auto header = io::read_image_header(fd->get());
    if (!header)
      return header.why();
    if (header->magic != io::image_magic::android_sparse)
      return io::file_size(fd->get());
    auto image = io::sparse_image::open(fd->get());
    return image ? io::result<std::uint64_t>{image->size_bytes()} : image.why();
  }

  const io::composite_file& disk_;
  const std::string folder_;
};

io::byte_source bytes_of_disk(const io::composite_reader& disk) {
  return [&disk](std::uint64_t offset, std::size_t size) -> io::result<std::string> {
    auto left = offset < disk.size_bytes() ? disk.size_bytes() - offset : 0;
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, left)), '\0');
    if (auto read = disk.read(bytes, offset); !read && !bytes.empty())
      return read.why();
    return bytes;
  };
}

writable_at writable_by(const io::composite_file& disk) {
  return [&disk](std::uint64_t offset) {
    const auto& all = disk.components;
    auto behind = std::upper_bound(all.begin(), all.end(), offset,
                                   [](auto at, const auto& one) { return at < one.offset; });
    return behind != all.begin() && (behind - 1)->writable;
  };
}

void look_into(const std::string& path, const io::composite_file& disk, inspection& to) {
  auto reader = io::composite_reader::open(path, {});
  if (!reader) {
    to.problems.push_back("the disk can't be put together: " + reader.why().what);
    return;
  }
  if (add_gpt(bytes_of_disk(*reader), reader->size_bytes(), writable_by(disk), to))
    take_for_remark(io::shared_table_problem, to);
}

ordered_facts facts_of(const io::qcow2_header& from) {
  ordered_facts cluster, backing_file;
  if (from.cluster_bits < 32)
    cluster = std::uint64_t{1} << from.cluster_bits;
  if (!from.backing_file.empty())
    backing_file = from.backing_file;
  return {{"version", from.version},
          {"virtual_bytes", from.virtual_bytes},
          {"cluster_bytes", cluster},
          {"snapshots", from.snapshots},
          {"encrypted", from.crypt_method != 0},
          {"external_data_file", from.data_file},
          {"backing_file", backing_file}};
}

ordered_facts facts_of(const io::sparse_header& from) {
  auto version = std::to_string(from.major_version) + "." + std::to_string(from.minor_version);
  return {{"version", version},
          {"image_bytes", from.image_bytes()},
          {"block_bytes", from.block_bytes},
          {"blocks", from.blocks},
          {"chunks", from.chunks}};
}

std::uint64_t zero_bytes_of(const io::sparse_image& image) {
  std::uint64_t zeros = 0;
  for (std::uint64_t at = 0; at < image.size_bytes();) {
    auto part = image.extent_at(at);
    zeros += part.zero ? part.bytes : 0;
    at += part.bytes;
  }
  return zeros;
}

} // namespace

inspection inspect_composite(const inspected_file& file) {
  auto size = std::min<std::uint64_t>(file.size_bytes, io::max_composite_file_bytes + 1);
  auto bytes = io::read_at(file.fd.get(), 0, static_cast<std::size_t>(size));
  if (!bytes)
    return broken("composite", bytes.why());
  auto disk = io::parse_composite_file(*bytes);
  if (!disk)
    return broken("composite", disk.why());
  inspection found{
    "composite", {{"version", disk->version}, {"disk_bytes", disk->size_bytes}}, {}, {}};
  component_check{*disk, folder_of(file.path)}.run(found);
  if (found.problems.empty())
    look_into(file.path, *disk, found);
  else
    found.remarks.push_back("its partitions are not shown, since not all components can be read");
  return found;
}

inspection inspect_gpt(const inspected_file& file) {
  inspection found{"gpt", ordered_facts::object(), {}, {}};
  add_gpt(io::bytes_of_file(file.fd.get()), file.size_bytes, {}, found);
  if (file.size_bytes % io::gpt_sector_bytes != 0)
    found.problems.push_back("the disk has " + std::to_string(file.size_bytes)
                             + " bytes, no whole sectors of 512");
  return found;
}

inspection inspect_qcow2(const inspected_file& file) {
  auto header = io::read_qcow2_header(io::bytes_of_file(file.fd.get()), file.size_bytes);
  if (!header)
    return broken("qcow2", header.why());
  inspection found{"qcow2", facts_of(*header), {}, header->problems};
  if (!header->backing_file.empty() || header->data_file)
    found.remarks.push_back("another file is named with data that is missing here; crosvisor "
                            "refuses such an image, since a guest could choose that file");
  return found;
}

inspection inspect_sparse(const inspected_file& file) {
  auto bytes = io::read_at(file.fd.get(), 0, io::sparse_header_bytes);
  if (!bytes)
    return broken("sparse", bytes.why());
  auto header = io::parse_sparse_header(*bytes);
  if (!header)
    return broken("sparse", header.why());
  inspection found{"sparse", facts_of(*header), {}, {}};
  auto image = io::sparse_image::open(file.fd.get());
  if (image)
    found.facts["zero_bytes"] = zero_bytes_of(*image);
  else
    found.problems.push_back(image.why().what);
  return found;
}

} // namespace crosvisor::cli
