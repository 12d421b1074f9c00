// SPDX-License-Identifier: Apache-2.0
#include "metadata.hpp"

namespace crosvisor::guest {

namespace {

/// One field of a protobuf message: https://protobuf.dev/programming-guides/encoding
struct field {
  std::uint64_t number = 0;
  std::uint64_t value = 0; ///< Of one that is a number.
  byte_view bytes;         ///< Of one that has a length.
  bool has_bytes = false;
};

class message_reader {
public:
  explicit message_reader(byte_view message) : reader_(message) {}

  /// @returns false at the end, and where the message is malformed: then good() is false.
  bool next(field& found) {
    if (!good_ || reader_.left() == 0)
      return false;
    found = {};
    auto tag = varint();
    found.number = tag >> 3;
    switch (tag & 7) {
      case 0: found.value = varint(); break;
      case 1: found.value = reader_.little_endian(8); break;
      case 2: {
        auto size = varint();
        found.bytes = reader_.take(size > reader_.left() ? SIZE_MAX : size);
        found.has_bytes = true;
        break;
      }
      case 5: found.value = reader_.little_endian(4); break;
      default: good_ = false;
    }
    good_ = good_ && reader_.good() && found.number != 0;
    return good_;
  }

  bool good() const { return good_; }

private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (auto shift = 0; shift < 64; shift += 7) {
      auto byte = reader_.little_endian(1);
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80)
        return value;
    }
    good_ = false;
    return 0;
  }

  byte_reader reader_;
  bool good_ = true;
};

/// @returns false for a text with a NUL in it, which no name and no path has.
bool set_text(std::string_view& text, const field& from) {
  text = {reinterpret_cast<const char*>(from.bytes.data()), from.bytes.size()};
  return from.has_bytes && text.find('\0') == std::string_view::npos;
}

bool read_apk(byte_view message, payload_metadata& metadata) {
  message_reader reader{message};
  auto fits = true;
  for (field found; fits && reader.next(found);) {
    if (found.number == 2)
      fits = set_text(metadata.apk_label, found);
    else if (found.number == 3)
      fits = set_text(metadata.idsig_label, found);
  }
  return fits && reader.good();
}

bool read_config(byte_view message, payload_metadata& metadata) {
  message_reader reader{message};
  auto fits = true;
  for (field found; fits && reader.next(found);) {
    if (found.number == 1) {
      fits = set_text(metadata.binary_name, found);
    } else if (found.number == 2) {
      fits = !found.has_bytes && found.value <= UINT32_MAX;
      metadata.extra_apks = static_cast<std::uint32_t>(found.value);
    }
  }
  return fits && reader.good();
}

/// The payload is one of fields 4 and 5, and the last one counts.
bool read_field(const field& found, payload_metadata& metadata) {
  switch (found.number) {
    case 3: return found.has_bytes && read_apk(found.bytes, metadata);
    case 4:
      metadata.binary_name = {};
      metadata.extra_apks = 0;
      return set_text(metadata.config_path, found);
    case 5: metadata.config_path = {}; return found.has_bytes && read_config(found.bytes, metadata);
    default: return true;
  }
}

} // namespace

outcome read_metadata(byte_view partition, payload_metadata& metadata) {
  metadata = {"microdroid-apk", "microdroid-apk-idsig", {}, {}, 0};
  byte_reader reader{partition};
  auto size = static_cast<std::size_t>(reader.big_endian(4));
  if (!reader.good() || size > most_metadata)
    return wrong(cause::invalid_config, "the payload metadata has more than %zu bytes",
                 most_metadata);
  auto body = reader.take(size);
  if (!reader.good())
    return wrong(cause::invalid_config, "the payload metadata is cut short: %zu bytes of %zu",
                 partition.size() - 4, size);
  message_reader message{body};
  auto fits = true;
  for (field found; fits && message.next(found);)
    fits = read_field(found, metadata);
  if (!fits || !message.good())
    return wrong(cause::invalid_config, "the payload metadata is malformed");
  if (metadata.config_path.empty() && metadata.binary_name.empty())
    return wrong(cause::invalid_config,
                 "the payload metadata names no configuration and no binary");
  return {};
}

} // namespace crosvisor::guest
