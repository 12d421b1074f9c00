// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/probe_cache.hpp"

#include "crosvisor/io/unique_fd.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>

namespace crosvisor::io {

using nlohmann::json;

namespace {

constexpr auto file_name = "host-probe.json";
/// Grows when a field changes its meaning, or when what is asked of a program does.
constexpr int format = 1;
constexpr std::size_t max_bytes = 64u << 10;

std::optional<std::string> read_all(int fd, std::size_t limit) {
  std::string text;
  std::array<char, 4096> chunk{};
  while (text.size() <= limit) {
    auto n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return std::nullopt;
    if (n == 0)
      return text;
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return std::nullopt;
}

/// Changes with every start of the kernel (proc(5)).
std::string boot_id() {
  unique_fd fd{::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)};
  return fd ? read_all(fd.get(), 64).value_or("") : "";
}

/// Of this user, and nobody else's to write.
bool is_ours(int fd) {
  struct stat about {};
  return ::fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == ::geteuid()
         && (about.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

unique_fd open_dir(const std::string& dir) {
  return unique_fd{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
}

// -- JSON -----------------------------------------------------------------------------------------

json to_json(const file_identity& file) {
  return {{"path", file.path},
          {"device", file.device},
          {"inode", file.inode},
          {"size", file.size},
          {"changed_ns", file.changed_ns}};
}

file_identity read_file_identity(const json& object) {
  return {object.at("path"), object.at("device"), object.at("inode"), object.at("size"),
          object.at("changed_ns")};
}

json to_json(const probe_findings& findings) {
  json root{{"format", format}, {"boot_id", boot_id()}, {"programs", json::array()}};
  for (const auto& [file, vmm] : findings.programs)
    root["programs"].push_back({{"file", to_json(file)},
                                {"kind", to_string(vmm.kind)},
                                {"version", vmm.version},
                                {"features", vmm.features}});
  if (findings.kvm)
    root["kvm"] = {{"file", to_json(findings.kvm->file)},
                   {"available", findings.kvm->verdict.available},
                   {"detail", findings.kvm->verdict.detail}};
  return root;
}

/// Throws json::exception where something is missing or of another type.
probe_findings read_findings(const json& root) {
  probe_findings findings;
  if (root.at("format") != format || root.at("boot_id") != boot_id())
    return findings;
  for (const auto& entry : root.at("programs")) {
    auto file = read_file_identity(entry.at("file"));
    auto kind = parse_vmm_kind(entry.at("kind"));
    if (kind)
      findings.programs.push_back(
        {file, {*kind, file.path, entry.at("version"), {true, {}}, entry.at("features")}});
  }
  if (auto kvm = root.find("kvm"); kvm != root.end())
    findings.kvm = {read_file_identity(kvm->at("file")), {kvm->at("available"), kvm->at("detail")}};
  return findings;
}

result<void> write_all(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    auto n = ::write(fd, text.data() + at, text.size() - at);
    if (n < 0 && errno != EINTR)
      return last_failure("write");
    if (n > 0)
      at += static_cast<std::size_t>(n);
  }
  return {};
}

result<void> write_and_rename(int dir, const std::string& text) {
  auto temporary = std::string{file_name} + '.' + std::to_string(::getpid());
  ::unlinkat(dir, temporary.c_str(), 0); // Of an earlier process of that number.
  unique_fd file{
    ::openat(dir, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file)
    return last_failure("create");
  auto written = write_all(file.get(), text);
  if (written && ::renameat(dir, temporary.c_str(), dir, file_name) != 0)
    written = last_failure("rename");
  if (!written)
    ::unlinkat(dir, temporary.c_str(), 0);
  return written;
}

} // namespace

std::optional<file_identity> identify(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0)
    return std::nullopt;
  // The time of the last change can't be set back, as that of the content can.
  auto changed = std::int64_t{about.st_ctim.tv_sec} * 1'000'000'000 + about.st_ctim.tv_nsec;
  return file_identity{path, about.st_dev, about.st_ino, static_cast<std::uint64_t>(about.st_size),
                       changed};
}

std::optional<vmm_info> probe_findings::find_program(const std::string& path) const {
  auto now = identify(path);
  for (const auto& [file, vmm] : programs)
    if (now && file == *now)
      return vmm;
  return std::nullopt;
}

std::optional<capability> probe_findings::find_device(const std::string& path) const {
  auto now = identify(path);
  return now && kvm && kvm->file == *now ? std::optional{kvm->verdict} : std::nullopt;
}

probe_findings load_findings(const std::string& dir) {
  auto folder = open_dir(dir);
  unique_fd file{
    folder ? ::openat(folder.get(), file_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
           : -1};
  if (!file || !is_ours(file.get()))
    return {};
  auto text = read_all(file.get(), max_bytes);
  if (!text)
    return {};
  try {
    return read_findings(json::parse(*text));
  } catch (const json::exception&) {
    return {};
  }
}

result<void> store_findings(const std::string& dir, const probe_findings& findings) {
  auto folder = open_dir(dir);
  if (!folder)
    return last_failure("keep the host probe in " + dir);
  // A path that is no UTF-8 is not worth a failure.
  auto text = to_json(findings).dump(2, ' ', false, json::error_handler_t::replace) + '\n';
  if (auto written = write_and_rename(folder.get(), text); !written)
    return failure{written.why().code, "keep the host probe in " + dir + ": " + written.why().what};
  return {};
}

} // namespace crosvisor::io
