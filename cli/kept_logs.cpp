// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/kept_logs.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace crosvisor::cli {

namespace {

constexpr std::size_t max_line_bytes = 160;

std::string read_tail(const std::string& path, std::size_t bytes) {
  io::unique_fd fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return "";
  std::string text(bytes, '\0');
  auto size = static_cast<std::size_t>(info.st_size);
  auto begin = static_cast<off_t>(size > bytes ? size - bytes : 0);
  auto n = ::pread(fd.get(), text.data(), text.size(), begin);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

} // namespace

std::vector<std::string> last_lines(const std::string& folder, const std::string& log,
                                    std::size_t count) {
  auto text = read_tail(folder + '/' + log + ".log", 8u << 10);
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() < count) {
    auto end = text.find_last_not_of("\r\n");
    if (end == std::string::npos)
      break;
    auto begin = text.find_last_of("\r\n", end) + 1; // npos + 1 is 0.
    lines.push_back(io::printable(text.substr(begin, end + 1 - begin), max_line_bytes));
    text.resize(begin);
  }
  std::reverse(lines.begin(), lines.end());
  return lines;
}

} // namespace crosvisor::cli
