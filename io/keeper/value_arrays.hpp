// SPDX-License-Identifier: Apache-2.0
// Value types as JSON arrays, by their inspect(): for texts that another version of this program
// reads.
#pragma once

#include "crosvisor/messages/text.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace crosvisor::io {

/// `x` as JSON: a structure is an array of its fields in the order of its inspect(), an enum is its
/// number, a string that is no UTF-8 is an array of its bytes.
template <class T>
nlohmann::json to_json_value(const T& x);

/// An inspector that writes.
class array_writer {
public:
  template <class... Fields>
  bool operator()(const Fields&... fields) {
    (made_.push_back(to_json_value(fields)), ...);
    return true;
  }

  nlohmann::json take() { return std::move(made_); }

private:
  nlohmann::json made_ = nlohmann::json::array();
};

/// Reads what to_json_value made. Fields that are missing at the end keep their values, further
/// ones are left, so that an earlier and a later version of a structure are read alike.
class value_reader {
public:
  /// False: the value has another shape, and problem() says where; what was read is to be dropped.
  /// An enum's number need only fit into it.
  /// @param where what the problem names.
  template <class T>
  bool read(const nlohmann::json& from, T& to, const std::string& where);

  /// `config[5][0] is no array`.
  const std::string& problem() const noexcept { return problem_; }

  bool refuse(const std::string& where, const char* what) {
    problem_ = where + " is " + what;
    return false;
  }

private:
  template <class T>
  bool read_number(const nlohmann::json& from, T& to, const std::string& where);
  bool read_string(const nlohmann::json& from, std::string& to, const std::string& where);

  std::string problem_;
};

/// An inspector that reads.
class array_reader {
public:
  array_reader(value_reader& reader, const nlohmann::json& from, const std::string& where)
      : reader_(reader), from_(from), where_(where) {}

  template <class... Fields>
  bool operator()(Fields&... fields) {
    return (next(fields) && ...);
  }

private:
  template <class T>
  bool next(T& to) {
    if (at_ >= from_.size())
      return true;
    auto i = at_++;
    return reader_.read(from_[i], to, where_ + "[" + std::to_string(i) + "]");
  }

  value_reader& reader_;
  const nlohmann::json& from_;
  const std::string& where_;
  std::size_t at_ = 0;
};

template <class T>
struct is_vector : std::false_type {};
template <class T>
struct is_vector<std::vector<T>> : std::true_type {};

template <class T>
nlohmann::json to_json_value(const T& x) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<std::underlying_type_t<T>>(x);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return x;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (to_utf16(x))
      return x;
    return std::vector<std::uint8_t>(x.begin(), x.end());
  } else if constexpr (is_vector<T>::value) {
    auto made = nlohmann::json::array();
    for (const auto& each : x)
      made.push_back(to_json_value(each));
    return made;
  } else {
    array_writer writer;
    inspect(writer, const_cast<T&>(x)); // Inspectors of both directions take it that way.
    return writer.take();
  }
}

template <class T>
bool value_reader::read(const nlohmann::json& from, T& to, const std::string& where) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!from.is_boolean())
      return refuse(where, "neither true nor false");
    to = from.get<bool>();
    return true;
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> number{};
    if (!read_number(from, number, where))
      return false;
    to = static_cast<T>(number);
    return true;
  } else if constexpr (std::is_integral_v<T>) {
    return read_number(from, to, where);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return read_string(from, to, where);
  } else if constexpr (is_vector<T>::value) {
    if (!from.is_array())
      return refuse(where, "no array");
    to.clear();
    for (std::size_t i = 0; i < from.size(); ++i)
      if (!read(from[i], to.emplace_back(), where + "[" + std::to_string(i) + "]"))
        return false;
    return true;
  } else {
    if (!from.is_array())
      return refuse(where, "no array");
    array_reader fields{*this, from, where};
    return inspect(fields, to);
  }
}

template <class T>
bool value_reader::read_number(const nlohmann::json& from, T& to, const std::string& where) {
  auto fits = from.is_number_unsigned()
                ? std::in_range<T>(from.get<std::uint64_t>())
                : from.is_number_integer() && std::in_range<T>(from.get<std::int64_t>());
  if (!fits)
    return refuse(where, "no whole number in its range");
  to = from.get<T>();
  return true;
}

inline bool value_reader::read_string(const nlohmann::json& from, std::string& to,
                                      const std::string& where) {
  if (from.is_string()) {
    to = from.get<std::string>();
    return true;
  }
  std::vector<std::uint8_t> bytes;
  if (!from.is_array() || !read(from, bytes, where))
    return refuse(where, "no string");
  to.assign(bytes.begin(), bytes.end());
  return true;
}

} // namespace crosvisor::io
