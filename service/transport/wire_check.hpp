// SPDX-License-Identifier: Apache-2.0
// Whether bytes are a value of a type, as CAF 0.17's binary_serializer writes it, before CAF makes
// one of them.
#pragma once

#include "crosvisor/service/transport/wire_reader.hpp"

#include <caf/atom.hpp>
#include <caf/error.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

namespace crosvisor::transport {

/// The most elements that all sequences of one message may have together. A byte on the wire can
/// be an empty string or structure, of a hundred bytes and more in memory.
inline constexpr std::size_t max_wire_elements = 16384;

/// Goes through a value by its type's own inspect(), and takes no memory for it.
class wire_check {
public:
  using result_type = bool;

  explicit wire_check(wire_reader& from) noexcept : from_(from) {}

  /// What an inspect() function calls with its members.
  template <class... Ts>
  bool operator()(const Ts&... members) {
    return (value(members) && ...);
  }

  /// Goes past a value like `like`, whose own value is of no matter unless it is an atom's.
  template <class T>
  bool value(const T& like) {
    if constexpr (std::is_same_v<T, caf::error>)
      return error();
    else if constexpr (caf::is_atom_constant<T>::value)
      return from_.integer(8) == T::uint_value();
    else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>)
      return from_.integer(sizeof(T)).has_value();
    else if constexpr (std::is_same_v<T, std::string>)
      return from_.text().has_value();
    else
      return compound(like);
  }

private:
  template <class T>
  bool compound(const T&) {
    static T like{};
    return inspect(*this, like);
  }

  template <class T>
  bool compound(const std::vector<T>&) {
    static const T like{};
    auto size = from_.sequence();
    if (!size || *size > max_wire_elements - elements_)
      return false;
    elements_ += *size;
    for (std::size_t i = 0; i < *size; ++i)
      if (!value(like))
        return false;
    return true;
  }

  /// CAF always writes 64 bits.
  template <class Rep, class Period>
  bool compound(const std::chrono::duration<Rep, Period>&) {
    return from_.integer(8).has_value();
  }

  /// Its context may be any message, others within it to any depth, on which CAF's reader recurses;
  /// here it is words or nothing.
  bool error() {
    if (!from_.integer(1) || !from_.integer(8))
      return false;
    auto types = from_.message_types();
    return types && (*types == "@<>" || (*types == "@<>+@str" && from_.text()));
  }

  wire_reader& from_;
  std::size_t elements_ = 0;
};

} // namespace crosvisor::transport
