// SPDX-License-Identifier: Apache-2.0
// A value, or what went wrong with the host.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

namespace crosvisor::io {

/// What went wrong: an errno value, or 0 where the host is not at fault, and one sentence that
/// names the call or the thing: `kernel "vmlinux": is a directory`.
struct failure {
  int code = 0;
  std::string what;
};

/// A failure with the present errno; `what` is followed by the errno's own words.
inline failure last_failure(std::string what) {
  auto code = errno;
  return {code, std::move(what) + ": " + std::strerror(code)};
}

/// A T, or why there is none.
template <class T>
class [[nodiscard]] result {
public:
  result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  result(failure what) : content_(std::in_place_index<1>, std::move(what)) {}

  explicit operator bool() const noexcept { return content_.index() == 0; }
  T& operator*() & { return std::get<0>(content_); }
  const T& operator*() const& { return std::get<0>(content_); }
  T&& operator*() && { return std::get<0>(std::move(content_)); }
  T* operator->() { return &std::get<0>(content_); }
  const T* operator->() const { return &std::get<0>(content_); }
  /// Only when there is no value.
  const failure& why() const { return std::get<1>(content_); }

private:
  std::variant<T, failure> content_;
};

/// Done, or why not.
template <>
class [[nodiscard]] result<void> {
public:
  result() = default;
  result(failure what) : failure_(std::move(what)), ok_(false) {}

  explicit operator bool() const noexcept { return ok_; }
  const failure& why() const { return failure_; }

private:
  failure failure_;
  bool ok_ = true;
};

} // namespace crosvisor::io
