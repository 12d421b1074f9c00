// SPDX-License-Identifier: Apache-2.0
// QEMU's machine protocol, one JSON object a line: its framing and its messages. Pure.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace crosvisor::io {

/// The longest line that is taken; what QEMU says to what it is asked has a few hundred bytes.
inline constexpr std::size_t max_qmp_line_bytes = 64u << 10;

/// Cuts a stream into lines.
class line_framer {
public:
  explicit line_framer(std::size_t max_line_bytes = max_qmp_line_bytes)
      : max_line_bytes_(max_line_bytes) {}

  void append(std::string_view bytes) { buffer_ += bytes; }

  /// The next whole line, without its end (`\n` or `\r\n`); nothing while there is none.
  std::optional<std::string> next();

  /// A line is longer than the bound. Take the whole lines first.
  bool overflowed() const noexcept { return buffer_.size() > max_line_bytes_; }

  /// What has no line end yet.
  const std::string& rest() const noexcept { return buffer_; }

private:
  std::size_t max_line_bytes_;
  std::string buffer_;
};

/// The first message of a QMP server (QEMU's docs/interop/qmp-spec.txt, as are the others).
struct qmp_greeting {};

/// The answer to the command of that id.
struct qmp_answer {
  std::uint64_t id = 0; ///< 0: it has none.
  bool ok = false;
  nlohmann::json value; ///< Where ok.
  std::string error;    ///< Where not ok: QEMU's own sentence.
};

struct qmp_event {
  std::string name;
  nlohmann::json data; ///< An object, maybe an empty one.
};

/// What is no QMP.
struct qmp_nonsense {};

using qmp_message = std::variant<qmp_nonsense, qmp_greeting, qmp_answer, qmp_event>;

/// Reads one line. Throws nothing.
qmp_message parse_qmp(std::string_view line);

/// One line that asks `command` of QEMU, with its line end.
/// @param arguments an object, or null for none.
std::string qmp_request(std::uint64_t id, const std::string& command,
                        const nlohmann::json& arguments);

/// The string at `key` of `object`; empty where there is none.
std::string string_at(const nlohmann::json& object, const char* key);

/// The number at `key` of `object`; nothing where there is none.
std::optional<std::uint64_t> number_at(const nlohmann::json& object, const char* key);

} // namespace crosvisor::io
