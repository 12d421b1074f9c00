// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/daemon/daemon_config.hpp"

#include "crosvisor/io/config/config_text.hpp"
#include "crosvisor/io/config/json_comments.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"
#include "crosvisor/io/listening_socket.hpp"
#include "crosvisor/service/daemon/autostart_fields.hpp"
#include "crosvisor/service/daemon/bound_fields.hpp"
#include "crosvisor/service/daemon/daemon_fields.hpp"
#include "crosvisor/service/endpoint.hpp"

#include <cerrno>
#include <limits>

namespace crosvisor {

namespace {

using io::check;
using io::config_field;
using io::config_problem;
using value_ref = const io::json_value&;
using path_ref = const std::string&;
using config_ref = daemon_config&;

constexpr std::uint32_t max_seconds = 3600;
constexpr std::uint32_t last_uid = std::numeric_limits<std::uint32_t>::max() - 1;

// -- who is let in ------------------------------------------------------------

/// Both sockets must fit.
check read_socket_path(value_ref value, path_ref path, config_ref config) {
  if (auto problem = read_absolute_path(value, path, config.socket))
    return problem;
  auto added = descriptor_socket_of(value.text).size() - value.text.size();
  auto most = io::max_socket_path_bytes - added;
  if (value.text.size() > most)
    return config_problem{value.offset, path + ": a path of " + std::to_string(value.text.size())
                                          + " bytes; at most " + std::to_string(most)
                                          + " are allowed"};
  return std::nullopt;
}

constexpr config_field<daemon_config> socket_fields[] = {
  {"path", read_socket_path},
  {"group", [](value_ref v, path_ref p, config_ref c) { return read_group(v, p, c.socket_gid); }},
  {"mode",
   [](value_ref v, path_ref p, config_ref c) { return read_socket_mode(v, p, c.socket_mode); }},
};

constexpr config_field<tls_config> tls_fields[] = {
  {"listen", [](value_ref v, path_ref p,
                tls_config& t) { return read_listen_address(v, p, t.address, t.port); }},
  {"certificate", [](value_ref v, path_ref p,
                     tls_config& t) { return read_absolute_path(v, p, t.files.certificate); }},
  {"key",
   [](value_ref v, path_ref p, tls_config& t) { return read_absolute_path(v, p, t.files.key); }},
  {"ca",
   [](value_ref v, path_ref p, tls_config& t) { return read_absolute_path(v, p, t.files.ca); }},
};

check read_tls(value_ref value, path_ref path, config_ref config) {
  tls_config tls;
  if (auto problem = io::read_object(value, path, tls_fields, tls))
    return problem;
  for (const auto& field : tls_fields)
    if (value.find(field.key) == nullptr)
      return config_problem{value.offset, path + ": \"" + field.key
                                            + "\" is missing; listen, certificate, key and ca are "
                                              "given together or not at all"};
  config.tls = std::move(tls);
  return std::nullopt;
}

constexpr config_field<permission_grant> grant_fields[] = {
  {"users",
   [](value_ref v, path_ref p, permission_grant& g) { return read_user_names(v, p, g.uids); }},
  {"uids", [](value_ref v, path_ref p, permission_grant& g) { return read_ids(v, p, g.uids); }},
  {"groups",
   [](value_ref v, path_ref p, permission_grant& g) { return read_group_names(v, p, g.gids); }},
  {"gids", [](value_ref v, path_ref p, permission_grant& g) { return read_ids(v, p, g.gids); }},
  {"subjects",
   [](value_ref v, path_ref p, permission_grant& g) { return read_subjects(v, p, g.subjects); }},
};

template <permission What>
check read_grant(value_ref value, path_ref path, permission_grants& grants) {
  return io::read_object(value, path, grant_fields, grants.of[static_cast<std::size_t>(What)]);
}

constexpr config_field<permission_grants> permission_fields[] = {
  {"manage", read_grant<permission::manage>},
  {"debug", read_grant<permission::debug>},
  {"custom", read_grant<permission::custom>},
};

// -- what it may cost ---------------------------------------------------------

constexpr config_field<actors::cid_range> cid_fields[] = {
  {"first", [](value_ref v, path_ref p,
               actors::cid_range& c) { return read_count(v, p, 3, last_uid, c.first); }},
  {"last", [](value_ref v, path_ref p,
              actors::cid_range& c) { return read_count(v, p, 3, last_uid, c.last); }},
};

check read_cids(value_ref value, path_ref path, config_ref config) {
  if (auto problem = io::read_object(value, path, cid_fields, config.cids))
    return problem;
  if (config.cids.first > config.cids.last)
    return config_problem{value.offset, path + ": first, " + std::to_string(config.cids.first)
                                          + ", is above last, " + std::to_string(config.cids.last)};
  return std::nullopt;
}

constexpr config_field<daemon_config> reference_fields[] = {
  {"grace_s", [](value_ref v, path_ref p,
                 config_ref c) { return read_seconds(v, p, 0, max_seconds, c.reference_grace); }},
};

constexpr config_field<daemon_config> stop_fields[] = {
  {"grace_s", [](value_ref v, path_ref p,
                 config_ref c) { return read_seconds(v, p, 0, max_seconds, c.stop_grace); }},
  {"shutdown_s", [](value_ref v, path_ref p,
                    config_ref c) { return read_seconds(v, p, 1, max_seconds, c.shutdown_bound); }},
};

/// One of the bounds.
template <check (*Read)(value_ref, path_ref, service_bounds&)>
check of_bounds(value_ref value, path_ref path, config_ref config) {
  return Read(value, path, config.bounds);
}

constexpr config_field<daemon_config> image_fields[] = {
  {"workers",
   [](value_ref v, path_ref p, config_ref c) { return read_count(v, p, 1, 64, c.image_workers); }},
  {"per_user", of_bounds<read_images_per_user>},
  {"most", of_bounds<read_images_in_all>},
  {"mib_per_user", of_bounds<read_image_mib_per_user>},
  {"mib", of_bounds<read_image_mib>},
  {"uploads_per_user", of_bounds<read_uploads_per_user>},
  {"upload_age_s", of_bounds<read_upload_age>},
};

// -- the installation ---------------------------------------------------------

constexpr config_field<daemon_config> program_fields[] = {
  {"crosvm",
   [](value_ref v, path_ref p, config_ref c) { return read_absolute_path(v, p, c.crosvm); }},
  {"qemu", [](value_ref v, path_ref p, config_ref c) { return read_absolute_path(v, p, c.qemu); }},
  {"vsock_device",
   [](value_ref v, path_ref p, config_ref c) { return read_absolute_path(v, p, c.vsock_device); }},
  {"nbdkit_plugin",
   [](value_ref v, path_ref p, config_ref c) { return read_absolute_path(v, p, c.disk_plugin); }},
  {"os_folder",
   [](value_ref v, path_ref p, config_ref c) { return read_absolute_path(v, p, c.os_folder); }},
  {"keeper",
   [](value_ref v, path_ref p, config_ref c) { return read_absolute_path(v, p, c.keeper); }},
};

constexpr config_field<daemon_config> vmm_fields[] = {
  {"first_uid", [](value_ref v, path_ref p,
                   config_ref c) { return read_count(v, p, 0, last_uid, c.first_vmm_uid); }},
  {"cgroup",
   [](value_ref v, path_ref p, config_ref c) { return read_absolute_path(v, p, c.vmm_cgroup); }},
};

std::optional<log::level> level_of(const std::string& word) {
  for (auto [name, level] : {std::pair{"debug", log::level::debug},
                             {"info", log::level::info},
                             {"warn", log::level::warn},
                             {"error", log::level::error}})
    if (word == name)
      return level;
  return std::nullopt;
}

/// An object of the document's, whose fields are the configuration's own.
template <auto& Fields>
check read_part(value_ref value, path_ref path, config_ref config) {
  return io::read_object(value, path, Fields, config);
}

constexpr config_field<daemon_config> fields[] = {
  {"socket", read_part<socket_fields>},
  {"tls", read_tls},
  {"permissions", [](value_ref v, path_ref p,
                     config_ref c) { return io::read_object(v, p, permission_fields, c.grants); }},
  {"cids", read_cids},
  {"limits", [](value_ref v, path_ref p, config_ref c) { return read_limits(v, p, c.bounds); }},
  {"logs", [](value_ref v, path_ref p, config_ref c) { return read_log_limits(v, p, c.bounds); }},
  {"restarts",
   [](value_ref v, path_ref p, config_ref c) { return read_restart_limits(v, p, c.bounds); }},
  {"references", read_part<reference_fields>},
  {"stop", read_part<stop_fields>},
  {"images", read_part<image_fields>},
  {"programs", read_part<program_fields>},
  {"vmm", read_part<vmm_fields>},
  {"autostart",
   [](value_ref v, path_ref p, config_ref c) { return read_autostart(v, p, c.autostart); }},
  {"log",
   [](value_ref v, path_ref p, config_ref c) {
     return io::read_word(v, p, R"("debug", "info", "warn" or "error")", level_of, c.log_level);
   }},
};

/// The users of VMMs are none that somebody has: those of people and services come first.
check check_vmm_users(value_ref document, const daemon_config& config) {
  constexpr std::uint32_t least = 65536;
  auto first = config.first_vmm_uid;
  auto most = last_uid - config.cids.last;
  if (first == 0 || (first >= least && first <= most))
    return std::nullopt;
  const auto* vmm = document.find("vmm");
  const auto* cids = document.find("cids");
  auto range = most < least ? "0 alone, since the last CID is added to it"
                            : "0, or " + std::to_string(least) + " to " + std::to_string(most)
                                + ", since the last CID is added to it";
  return config_problem{(vmm != nullptr ? vmm : cids)->key_offset,
                        "vmm.first_uid: " + std::to_string(first) + " is out of range; allowed is "
                          + range};
}

} // namespace

io::result<daemon_config> parse_daemon_config(const std::string& text,
                                              const std::string& file_name) {
  io::json_source source{text, io::printable(file_name, 4096)};
  auto document = io::parse_commented_json(source);
  if (!document)
    return document.why();
  daemon_config config;
  auto problem = io::read_object(*document, "", fields, config);
  if (!problem)
    problem = check_vmm_users(*document, config);
  if (problem)
    return source.complain(problem->offset, problem->what);
  for (auto& vm : config.autostart)
    if (vm.config.front() != '/')
      vm.config = io::folder_of(file_name) + '/' + vm.config;
  return config;
}

io::result<daemon_config> load_daemon_config(const std::string& path, bool required) {
  auto text = io::read_config_text(path);
  if (text)
    return parse_daemon_config(*text, path);
  if (text.why().code == ENOENT && !required)
    return daemon_config{};
  return text.why();
}

} // namespace crosvisor
