// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/bound_fields.hpp"

#include "crosvisor/service/daemon/daemon_fields.hpp"

namespace crosvisor {

namespace {

using io::check;
using io::config_field;
using value_ref = const io::json_value&;
using path_ref = const std::string&;
using bounds_ref = service_bounds&;

constexpr std::uint32_t many = 65'536;
constexpr std::uint32_t very_many = 1u << 20;

/// A count of the door's, or of tickets.
template <auto Part, auto Member, std::uint32_t Low, std::uint32_t High>
check read_bound(value_ref value, path_ref path, bounds_ref bounds) {
  return read_count(value, path, Low, High, bounds.*Part.*Member);
}

template <auto Member, std::uint32_t Low = 1, std::uint32_t High = many>
constexpr auto of_door = read_bound<&service_bounds::door, Member, Low, High>;

template <auto Member>
constexpr auto of_peers = read_bound<&service_bounds::peers, Member, 1, many>;

template <auto Member>
constexpr auto of_tickets = read_bound<&service_bounds::tickets, Member, 1, many>;

using door = door_bounds;
using peers = transport::peer_limits;

constexpr config_field<service_bounds> limit_fields[] = {
  {"connections", of_peers<&peers::connections>},
  {"connections_per_user", of_peers<&peers::connections_per_principal>},
  {"message_kib",
   [](value_ref v, path_ref p, bounds_ref b) {
     return read_count(v, p, 64, 16'384, b.peers.message_bytes, 1024);
   }},
  {"unread_kib",
   [](value_ref v, path_ref p, bounds_ref b) {
     return read_count(v, p, 1024, very_many, b.peers.unread_bytes, 1024);
   }},
  {"handshake_s", [](value_ref v, path_ref p,
                     bounds_ref b) { return read_seconds(v, p, 1, 60, b.peers.handshake); }},
  {"silence_s", [](value_ref v, path_ref p,
                   bounds_ref b) { return read_seconds(v, p, 3, 300, b.peers.silence); }},
  {"vms", of_door<&door::vms>},
  {"vms_per_user", of_door<&door::vms_per_user>},
  {"requests", of_door<&door::requests, 1, very_many>},
  {"requests_per_user", of_door<&door::requests_per_user>},
  {"subscriptions", of_door<&door::subscriptions, 1, very_many>},
  {"subscriptions_per_user", of_door<&door::subscriptions_per_user>},
  {"images", of_door<&door::images>},
  {"images_per_user", of_door<&door::images_per_user>},
  {"tickets", of_tickets<&io::ticket_limits::in_all>},
  {"tickets_per_user", of_tickets<&io::ticket_limits::per_uid>},
  {"references_per_user", of_door<&door::references_per_user>},
  {"subscribers_per_vm", of_door<&door::subscribers_per_vm>},
  {"output_readers_per_vm", of_door<&door::output_readers_per_vm, 1, 64>},
  {"connects_per_vm", of_door<&door::connects_per_vm, 1, 4096>},
  {"users_per_vm", of_door<&door::users_per_vm, 1, 64>},
  {"passes_per_vm", of_door<&door::passes_per_vm, 1, 1024>},
  {"events_kept", of_door<&door::events_kept, 16, 4096>},
  {"output_kib", [](value_ref v, path_ref p,
                    bounds_ref b) { return read_count(v, p, 64, many, b.output_bytes, 1024); }},
};

constexpr config_field<service_bounds> log_fields[] = {
  {"file_kib",
   [](value_ref v, path_ref p, bounds_ref b) {
     return read_count(v, p, 4, very_many, b.logs.each.file_bytes, 1024);
   }},
  {"files", [](value_ref v, path_ref p,
               bounds_ref b) { return read_count(v, p, 1, 64, b.logs.each.files); }},
  {"vms",
   [](value_ref v, path_ref p, bounds_ref b) { return read_count(v, p, 1, 4096, b.logs.vms); }},
};

constexpr std::uint32_t week_s = 7 * 24 * 3600;

constexpr config_field<service_bounds> restart_fields[] = {
  {"most", [](value_ref v, path_ref p,
              bounds_ref b) { return read_count(v, p, 1, 1000, b.restarts.most); }},
  {"window_s", [](value_ref v, path_ref p,
                  bounds_ref b) { return read_seconds(v, p, 60, week_s, b.restarts.window); }},
};

} // namespace

check read_limits(value_ref value, path_ref path, bounds_ref bounds) {
  return io::read_object(value, path, limit_fields, bounds);
}

check read_log_limits(value_ref value, path_ref path, bounds_ref bounds) {
  return io::read_object(value, path, log_fields, bounds);
}

check read_restart_limits(value_ref value, path_ref path, bounds_ref bounds) {
  return io::read_object(value, path, restart_fields, bounds);
}

// -- the image store ----------------------------------------------------------

namespace {

/// An answer has room for no more.
constexpr std::uint32_t most_images = 2048;
/// 16 TiB.
constexpr std::uint32_t most_image_mib = 16u << 20;

check read_mib(value_ref value, path_ref path, std::uint64_t& bytes) {
  std::uint64_t count = 0;
  if (auto problem = read_count(value, path, 1, most_image_mib, count))
    return problem;
  bytes = count << 20;
  return std::nullopt;
}

} // namespace

check read_images_per_user(value_ref value, path_ref path, bounds_ref bounds) {
  return read_count(value, path, 1, most_images, bounds.images.per_user);
}

check read_images_in_all(value_ref value, path_ref path, bounds_ref bounds) {
  return read_count(value, path, 1, most_images, bounds.images.in_all);
}

check read_image_mib_per_user(value_ref value, path_ref path, bounds_ref bounds) {
  return read_mib(value, path, bounds.images.bytes_per_user);
}

check read_image_mib(value_ref value, path_ref path, bounds_ref bounds) {
  return read_mib(value, path, bounds.images.bytes);
}

check read_uploads_per_user(value_ref value, path_ref path, bounds_ref bounds) {
  return read_count(value, path, 1, 64, bounds.images.uploads_per_user);
}

check read_upload_age(value_ref value, path_ref path, bounds_ref bounds) {
  return read_count(value, path, 60, week_s, bounds.images.upload_age);
}

} // namespace crosvisor
