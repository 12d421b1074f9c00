// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/metadata.hpp"

#include "crosvisor/io/payload/metadata.pb.h"

namespace crosvisor::io {

namespace {

constexpr std::size_t prefix_bytes = 4;

failure bad(const std::string& what) {
  return {0, "payload metadata: " + what};
}

std::uint32_t read_prefix(std::string_view bytes) {
  std::uint32_t length = 0;
  for (auto byte : bytes.substr(0, prefix_bytes))
    length = length << 8 | static_cast<unsigned char>(byte);
  return length;
}

payload_metadata from_wire(const wire::Metadata& message) {
  payload_metadata metadata;
  metadata.version = message.version();
  for (const auto& apex : message.apexes())
    metadata.apexes.push_back(
      {apex.name(), apex.partition_name(), apex.last_update_seconds(), apex.is_factory()});
  metadata.apk_name = message.apk().name();
  metadata.apk_partition = message.apk().payload_partition_name();
  metadata.idsig_partition = message.apk().idsig_partition_name();
  metadata.config_path = message.config_path();
  metadata.payload_binary = message.config().payload_binary_name();
  metadata.extra_apk_count = message.config().extra_apk_count();
  return metadata;
}

} // namespace

std::string serialize(const payload_metadata& metadata) {
  wire::Metadata message;
  message.set_version(metadata.version);
  for (const auto& apex : metadata.apexes) {
    auto* added = message.add_apexes();
    added->set_name(apex.name);
    added->set_partition_name(apex.partition);
    added->set_last_update_seconds(apex.last_update_seconds);
    added->set_is_factory(apex.factory);
  }
  auto* apk = message.mutable_apk();
  apk->set_name(metadata.apk_name);
  apk->set_payload_partition_name(metadata.apk_partition);
  apk->set_idsig_partition_name(metadata.idsig_partition);
  if (metadata.payload_binary.empty()) {
    message.set_config_path(metadata.config_path);
  } else {
    message.mutable_config()->set_payload_binary_name(metadata.payload_binary);
    message.mutable_config()->set_extra_apk_count(metadata.extra_apk_count);
  }
  auto body = message.SerializeAsString();
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes += static_cast<char>(body.size() >> shift & 0xff);
  return bytes + body;
}

result<payload_metadata> parse_payload_metadata(std::string_view bytes) {
  if (bytes.size() < prefix_bytes)
    return bad("has " + std::to_string(bytes.size()) + " bytes, not even a length");
  auto length = read_prefix(bytes);
  if (length > max_metadata_bytes)
    return bad("says that it has " + std::to_string(length) + " bytes; at most "
               + std::to_string(max_metadata_bytes) + " are allowed");
  if (length > bytes.size() - prefix_bytes)
    return bad("says that it has " + std::to_string(length) + " bytes; it has "
               + std::to_string(bytes.size() - prefix_bytes));
  wire::Metadata message;
  if (!message.ParseFromArray(bytes.data() + prefix_bytes, static_cast<int>(length)))
    return bad("is damaged: no protobuf message Metadata");
  if (message.version() != 1)
    return bad("has version " + std::to_string(message.version()) + "; known is 1");
  return from_wire(message);
}

} // namespace crosvisor::io
