// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/default_connection.hpp"

#include "crosvisor/cli/exit_code.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace crosvisor::cli {

namespace {

constexpr const char* socket_name = "/crosvisord.sock";
constexpr const char* host_directory = "/run/crosvisor";

std::string not_found_words(const std::vector<std::string>& looked_for) {
  std::string paths;
  for (const auto& path : looked_for)
    paths += (paths.empty() ? "" : " and ") + path;
  return "no daemon is there: looked for " + paths
         + "; `crosvisord --user` starts one of your own, `systemctl start crosvisord` the host's; "
           "--connect or CROSVISOR_CONNECT names another";
}

/// The endpoint that was asked for; nothing where nobody did.
outcome<std::optional<endpoint>> asked_for(const connect_arguments& given,
                                           const environment& variables) {
  auto from_environment = given.where.empty() ? variables("CROSVISOR_CONNECT") : std::nullopt;
  if (given.where.empty() && !from_environment)
    return std::nullopt;
  auto where = parse_endpoint(from_environment ? *from_environment : given.where);
  if (where)
    return std::optional{*where};
  return early_end{usage,
                   (from_environment ? "CROSVISOR_CONNECT: " : "--connect: ") + where.why().what};
}

outcome<transport::tls_files> find_tls_files(const connect_arguments& given,
                                             const environment& variables, const endpoint& where) {
  auto file = [&](const std::string& option, const char* variable) {
    return option.empty() ? variables(variable).value_or("") : option;
  };
  transport::tls_files files{file(given.certificate, "CROSVISOR_CERTIFICATE"),
                             file(given.key, "CROSVISOR_KEY"), file(given.ca, "CROSVISOR_CA")};
  if (!files.certificate.empty() && !files.key.empty() && !files.ca.empty())
    return files;
  return early_end{usage, to_string(where)
                            + " needs a certificate, its key and a CA: give --certificate, --key "
                              "and --ca, or set CROSVISOR_CERTIFICATE, CROSVISOR_KEY and "
                              "CROSVISOR_CA"};
}

} // namespace

connection_surroundings own_surroundings() {
  return {process_environment(), ::geteuid(), [](const std::string& path) {
            struct stat info {};
            return ::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
          }};
}

std::vector<std::string> daemon_sockets(const connection_surroundings& around) {
  if (auto runtime = around.variables("CROSVISOR_RUNTIME_DIR"))
    return {*runtime + socket_name};
  std::vector<std::string> paths;
  auto runtime = around.uid == 0 ? std::nullopt : around.variables("XDG_RUNTIME_DIR");
  if (runtime)
    paths.push_back(*runtime + "/crosvisor" + socket_name);
  paths.push_back(std::string{host_directory} + socket_name);
  return paths;
}

std::optional<std::string> find_daemon(const connection_surroundings& around) {
  for (const auto& path : daemon_sockets(around)) {
    // A path that is no endpoint's, relative or too long, is nobody's.
    if (parse_endpoint("unix:" + path) && around.is_socket(path))
      return path;
  }
  return std::nullopt;
}

outcome<endpoint> choose_endpoint(const connect_arguments& given,
                                  const connection_surroundings& around, without_daemon otherwise) {
  auto asked = asked_for(given, around.variables);
  if (const auto* end = std::get_if<early_end>(&asked))
    return *end;
  auto where = std::get<0>(asked);
  if (!where) {
    if (auto path = find_daemon(around))
      return endpoint{endpoint_kind::unix_socket, *path, "", 0};
    if (otherwise == without_daemon::refuse)
      return early_end{failed, not_found_words(daemon_sockets(around))};
    return endpoint{};
  }
  if (where->kind == endpoint_kind::embedded && otherwise == without_daemon::refuse)
    return early_end{usage, "embedded: is a service of this command's own, which has no VMs that "
                            "are there already; this command needs a daemon"};
  return *where;
}

outcome<connection_options> choose_connection(const connect_arguments& given,
                                              const connection_surroundings& around,
                                              without_daemon otherwise) {
  auto where = choose_endpoint(given, around, otherwise);
  if (const auto* end = std::get_if<early_end>(&where))
    return *end;
  connection_options options;
  options.where = std::get<endpoint>(where);
  auto is_tls = options.where.kind == endpoint_kind::tls;
  if (!is_tls && !(given.certificate + given.key + given.ca).empty())
    return early_end{usage, "--certificate, --key and --ca are for tls: alone, and the service is "
                              + to_string(options.where)};
  if (is_tls) {
    auto files = find_tls_files(given, around.variables, options.where);
    if (const auto* end = std::get_if<early_end>(&files))
      return *end;
    options.tls = std::get<0>(files);
  }
  if (options.where.kind == endpoint_kind::embedded) {
    auto embedded = find_service_options(around.variables, around.uid);
    if (!embedded)
      return early_end{usage, embedded.why().what};
    options.embedded = std::move(*embedded);
  }
  return options;
}

std::string words_of(const endpoint& where) {
  return where.kind == endpoint_kind::embedded ? "the service in this process" : to_string(where);
}

} // namespace crosvisor::cli
