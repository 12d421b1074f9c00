// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/bench/bench_daemon.hpp"

#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/tests/judge.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

namespace crosvisor::bench {

namespace {

/// Whom every system has, and who has nothing.
constexpr uid_t nobody = 65534;

} // namespace

std::uint16_t free_port() {
  io::unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.get(), any, size) != 0 || ::getsockname(socket.get(), any, &size) != 0)
    throw std::runtime_error(io::last_failure("a free port").what);
  return ntohs(address.sin_port);
}

namespace {

void run(const std::string& line) {
  auto said = tests::ask(line);
  if (said.exit_code != 0)
    throw std::runtime_error("failed: " + line + "\n" + said.out);
}

transport::tls_files client_files(const tests::temp_dir& folder) {
  return {folder / "pki/client.pem", folder / "pki/client.key", folder / "pki/ca.pem"};
}

} // namespace

bench_daemon::bench_daemon(const std::string& qemu) : port_(free_port()) {
  std::filesystem::create_directory(folder_ / "pki");
  run(std::string{CROSVISOR_TEST_CERTIFICATES} + " '" + folder_ / "pki" + "' >/dev/null");
  auto pki = folder_ / "pki/";
  folder_.write("daemon.json",
                "{\"socket\": {\"path\": \"" + socket() + "\"}, \"tls\": {\"listen\": \"127.0.0.1:"
                  + std::to_string(port_) + "\", \"certificate\": \"" + pki
                  + "server.pem\", \"key\": \"" + pki + "server.key\", \"ca\": \"" + pki
                  + "ca.pem\"}, \"permissions\": {\"debug\": {\"subjects\": [\"CN=client\"]}, "
                    "\"manage\": {\"subjects\": [\"CN=client\"]}}, "
                    "\"programs\": {"
                  + (qemu.empty() ? "" : "\"qemu\": \"" + qemu + "\", ") + "\"vsock_device\": \""
                  + CROSVISOR_VSOCK_PROGRAM
                  + "\", \"keeper\": \"" CROSVISOR_KEEPER "\"}, \"log\": \"error\"}");
  start();
}

bench_daemon::~bench_daemon() {
  if (process_)
    process_->end();
}

void bench_daemon::start() {
  process_.emplace(program_line{{CROSVISOR_DAEMON, "--config", folder_ / "daemon.json"},
                                {"CROSVISOR_RUNTIME_DIR=" + folder_ / "run",
                                 "CROSVISOR_STATE_DIR=" + folder_ / "state"}},
                   folder_ / "daemon.log");
  process_->wait_until([&] { return connection::open(by_socket()).operator bool(); });
}

double bench_daemon::kill_and_restart() {
  process_.reset(); // SIGKILL
  auto began = now_ns();
  start();
  return seconds(now_ns() - began);
}

connection_options bench_daemon::by_socket() const {
  connection_options options;
  options.where = {endpoint_kind::unix_socket, socket(), {}, 0};
  return options;
}

program_line bench_daemon::command(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), CROSVISOR_PROGRAM);
  return {std::move(arguments), {"CROSVISOR_CONNECT=unix:" + socket()}};
}

program_line bench_daemon::command_by_tls(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), CROSVISOR_PROGRAM);
  auto files = client_files(folder_);
  return {std::move(arguments),
          {"CROSVISOR_CONNECT=tls://127.0.0.1:" + std::to_string(port_),
           "CROSVISOR_CERTIFICATE=" + files.certificate, "CROSVISOR_KEY=" + files.key,
           "CROSVISOR_CA=" + files.ca}};
}

std::unique_ptr<connection> bench_daemon::connect() const {
  return need(connection::open(by_socket()));
}

std::unique_ptr<connection> bench_daemon::connect_by_tls() const {
  connection_options options;
  options.where = {endpoint_kind::tls, {}, "127.0.0.1", port_};
  options.tls = client_files(folder_);
  return need(connection::open(options));
}

bench_libvirt::bench_libvirt() {
  if (tests::ask("command -v libvirtd virsh setpriv").exit_code != 0)
    throw not_here("libvirtd and virsh are not installed (Debian's packages libvirt-daemon, "
                   "libvirt-daemon-driver-qemu and libvirt-clients)");
  if (::geteuid() != 0)
    throw not_here("only root can run libvirtd as another user");
  for (const auto* name : {"home", "run"})
    std::filesystem::create_directory(folder_ / name);
  run("chown -R " + std::to_string(nobody) + " '" + folder_.path() + "'");
  process_.emplace(program_line{{"libvirtd"}, environment(), nobody}, folder_ / "libvirtd.log");
  process_->wait_until(
    [&] { return ::access((folder_ / "run/libvirt/libvirt-sock").c_str(), F_OK) == 0; });
}

std::vector<std::string> bench_libvirt::environment() const {
  return {"HOME=" + folder_ / "home", "XDG_RUNTIME_DIR=" + folder_ / "run"};
}

program_line bench_libvirt::command(std::vector<std::string> arguments) const {
  std::vector<std::string> argv{"virsh", "-q", "-c", "qemu:///session"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return {std::move(argv), environment(), nobody};
}

} // namespace crosvisor::bench
