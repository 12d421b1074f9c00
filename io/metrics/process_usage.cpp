// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/metrics/process_usage.hpp"

#include "crosvisor/io/config/bounded_read.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <memory>

namespace crosvisor::io {

namespace {

constexpr std::size_t max_stat_bytes = 4096;
constexpr std::size_t max_children_bytes = 64u << 10;

std::optional<std::string> read_proc(const std::string& path, std::size_t most) {
  unique_fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  auto text = file ? read_bounded(file.get(), most) : result<std::string>{failure{}};
  return text ? std::optional{std::move(*text)} : std::nullopt;
}

template <class Number>
std::optional<Number> number_of(std::string_view word) {
  Number number{};
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc{} && end == word.data() + word.size() ? std::optional{number}
                                                                  : std::nullopt;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  constexpr std::string_view spaces = " \n";
  while (true) {
    auto begin = text.find_first_not_of(spaces);
    if (begin == std::string_view::npos)
      return words;
    text.remove_prefix(begin);
    auto word = text.substr(0, text.find_first_of(spaces));
    words.push_back(word);
    text.remove_prefix(word.size());
  }
}

/// The names in a folder of numbers; empty where it can't be read.
std::vector<std::string> numbered_entries(const std::string& path) {
  std::vector<std::string> names;
  std::unique_ptr<DIR, int (*)(DIR*)> dir{::opendir(path.c_str()), ::closedir};
  while (const auto* entry = dir ? ::readdir(dir.get()) : nullptr)
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
      names.emplace_back(entry->d_name);
  return names;
}

} // namespace

std::optional<process_usage> parse_process_stat(std::string_view text, long ticks,
                                                long page_bytes) {
  // A name may hold anything, parentheses included.
  auto open = text.find('('), close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return std::nullopt;
  auto words = words_of(text.substr(close + 1));
  // The first of these is the third field.
  auto field = [&](std::size_t number) {
    return number - 3 < words.size() ? number_of<std::int64_t>(words[number - 3]) : std::nullopt;
  };
  auto parent = field(4), user = field(14), kernel = field(15), threads = field(20),
       start = field(22), pages = field(24);
  if (!parent || !user || !kernel || !threads || !start || !pages || *pages < 0)
    return std::nullopt;
  auto seconds = [&](std::int64_t count) {
    return static_cast<double>(count) / static_cast<double>(ticks);
  };
  return process_usage{std::string{text.substr(open + 1, close - open - 1)},
                       static_cast<pid_t>(*parent),
                       seconds(*user + *kernel),
                       static_cast<std::uint64_t>(*pages) * static_cast<std::uint64_t>(page_bytes),
                       static_cast<std::uint64_t>(*threads),
                       seconds(*start)};
}

std::optional<process_usage> read_process_usage(pid_t pid) {
  static const auto ticks = ::sysconf(_SC_CLK_TCK);
  static const auto page_bytes = ::sysconf(_SC_PAGESIZE);
  auto text = read_proc("/proc/" + std::to_string(pid) + "/stat", max_stat_bytes);
  return text ? parse_process_stat(*text, ticks, page_bytes) : std::nullopt;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  auto tasks = "/proc/" + std::to_string(pid) + "/task/";
  for (const auto& task : numbered_entries(tasks))
    if (auto text = read_proc(tasks + task + "/children", max_children_bytes))
      for (auto word : words_of(*text))
        if (auto child = number_of<pid_t>(word))
          children.push_back(*child);
  return children;
}

std::uint64_t count_own_descriptors() {
  auto open = numbered_entries("/proc/self/fd").size();
  return open > 0 ? open - 1 : 0; // The folder's own.
}

std::optional<double> boot_time_seconds() {
  auto text = read_proc("/proc/stat", 1u << 20).value_or("");
  auto at = text.find("\nbtime ");
  if (at == std::string::npos)
    return std::nullopt;
  std::string_view line{text};
  line.remove_prefix(at + 7);
  auto seconds = number_of<std::int64_t>(line.substr(0, line.find('\n')));
  return seconds ? std::optional{static_cast<double>(*seconds)} : std::nullopt;
}

} // namespace crosvisor::io
