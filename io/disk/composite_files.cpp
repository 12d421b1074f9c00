// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/composite_files.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/disk/composite_layout.hpp"
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/messages/text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace crosvisor::io {

namespace {

/// A file's folder without symlinks, and its name in there.
struct place {
  std::string folder;
  std::string name;

  std::string path() const { return (folder == "/" ? "" : folder) + '/' + name; }
};

result<place> place_of(const std::string& path) {
  std::filesystem::path given{path};
  std::error_code error;
  auto folder = given.has_parent_path() ? given.parent_path() : std::filesystem::path{"."};
  auto real = std::filesystem::canonical(folder, error);
  if (error)
    return failure{error.value(),
                   in_quotes(path) + ": its folder: " + std::strerror(error.value())};
  place where{real.string(), given.filename().string()};
  if (where.name.empty() || where.name == "." || where.name == "..")
    return failure{0, in_quotes(path) + ": is no name of a file"};
  // The description is a protobuf message, whose strings are UTF-8.
  if (!to_utf16(where.path()))
    return failure{0, in_quotes(path) + ": a path in a composite disk is UTF-8, and this is not"};
  return where;
}

/// Files that are made in one folder, and removed again unless they are kept.
class new_files {
public:
  explicit new_files(unique_fd folder) : folder_(std::move(folder)) {}
  new_files(const new_files&) = delete;
  new_files& operator=(const new_files&) = delete;
  ~new_files() {
    for (const auto& name : made_)
      ::unlinkat(folder_.get(), name.c_str(), 0);
  }

  result<void> write(const std::string& name, std::string_view content) {
    constexpr auto flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    unique_fd file{::openat(folder_.get(), name.c_str(), flags, 0666)};
    if (!file && errno == EEXIST)
      return failure{EEXIST, in_quotes(name) + ": is there; nothing is ever overwritten"};
    if (!file)
      return last_failure(in_quotes(name));
    made_.push_back(name);
    if (auto written = write_at(file.get(), 0, content); !written)
      return failure{written.why().code, in_quotes(name) + ": " + written.why().what};
    return ::fsync(file.get()) == 0 ? result<void>{} : last_failure(in_quotes(name) + ": fsync");
  }

  /// Once the names are on the disk, too.
  result<void> keep() {
    if (::fsync(folder_.get()) != 0)
      return last_failure("the folder: fsync");
    made_.clear();
    return {};
  }

private:
  unique_fd folder_;
  std::vector<std::string> made_;
};

/// Opens every partition's file.
class part_opener {
public:
  result<void> open(const composite_part& part) {
    auto what = "partition " + in_quotes(part.label) + ", " + in_quotes(part.path);
    auto where = place_of(part.path);
    if (!where)
      return failure{where.why().code,
                     "partition " + in_quotes(part.label) + ", " + where.why().what};
    // O_NONBLOCK so that a FIFO without a writer is not waited for.
    auto flags = (part.writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    unique_fd file{::open(where->path().c_str(), flags)};
    if (!file)
      return last_failure(what);
    sources.push_back({part.label, file.get(), part.format, part.writable, part.guid, what});
    paths.push_back(where->path());
    files_.push_back(std::move(file));
    return {};
  }

  std::vector<partition_source> sources;
  std::vector<std::string> paths;

private:
  std::vector<unique_fd> files_;
};

result<void> write_all(const place& out, const composite_plan& plan,
                       std::vector<std::string> images, const job_control& control) {
  unique_fd folder{::open(out.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!folder)
    return last_failure("folder " + in_quotes(out.folder));
  composite_paths paths{out.path() + ".header", out.path() + ".footer", out.path() + ".filler",
                        std::move(images)};
  new_files files{std::move(folder)};
  const std::pair<std::string, std::string> contents[] = {
    {out.name + ".header", plan.layout.header},
    {out.name + ".footer", plan.layout.footer},
    {out.name + ".filler", std::string(composite_filler_bytes, '\0')},
    {out.name, serialize(describe_composite(plan, paths))}};
  for (const auto& [name, content] : contents) {
    if (control.cancelled())
      return job_control::stopped();
    if (auto written = files.write(name, content); !written)
      return written;
  }
  return files.keep();
}

} // namespace

result<std::uint64_t> create_composite_files(const std::string& out,
                                             const std::vector<composite_part>& parts,
                                             const job_control& control) {
  if (control.cancelled())
    return job_control::stopped();
  auto where = place_of(out);
  if (!where)
    return where.why();
  if (parts.size() > gpt_entries)
    return failure{0, std::to_string(parts.size()) + " partitions; at most "
                        + std::to_string(gpt_entries) + " are allowed"};
  part_opener opener;
  for (const auto& part : parts)
    if (auto opened = opener.open(part); !opened)
      return opened.why();
  auto plan = plan_composite(opener.sources);
  if (!plan)
    return plan.why();
  if (auto written = write_all(*where, *plan, std::move(opener.paths), control); !written)
    return written.why();
  return plan->layout.size_bytes;
}

} // namespace crosvisor::io
