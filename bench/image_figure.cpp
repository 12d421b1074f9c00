// SPDX-License-Identifier: Apache-2.0
// A file that is pushed over TLS, against curl that fetches the same one over HTTPS from openssl.
#include "crosvisor/bench/bench_daemon.hpp"
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/tests/judge.hpp"

#include <fmt/core.h>

#include <cstdint>
#include <fstream>
#include <random>

namespace crosvisor::bench {

namespace {

constexpr int repetitions_of_all = 7;
constexpr std::uint64_t file_bytes = 256u << 20;
constexpr std::size_t piece_bytes = 1u << 20;

std::string speed_text(double took) {
  return fmt::format("{:.0f} MB/s", file_bytes / took / 1e6);
}

class image_figure final : public figure {
public:
  explicit image_figure(summary& to) : daemon_(CROSVISOR_STAND_IN_QEMU), port_(free_port()) {
    if (tests::ask("command -v curl openssl sha256sum").exit_code != 0)
      throw not_here("curl and openssl are not installed (Debian's packages of these names)");
    write_file();
    server_.emplace(sh("exec openssl s_server -accept 127.0.0.1:" + std::to_string(port_)
                       + " -tls1_3 -cert pki/server.pem -key pki/server.key -WWW -quiet"),
                    daemon_.folder() / "server.log");
    server_->wait_until([&] { return tests::ask(line(fetch("daemon.json"))).exit_code == 0; });
    measure();
    push_.clear();
    curl_.clear();
    checked_.clear();
    pull_.clear();
    to.note("image: a push computes the file's checksum on both sides and has it on disk before it "
            "ends, which `curl, sync, sha256sum` does as well, and curl alone does not");
  }

  int repetitions() const override { return repetitions_of_all; }

  sample measure() override {
    ours_first_ = !ours_first_;
    if (!ours_first_)
      measure_rivals();
    push_.push_back(time_of(daemon_.command_by_tls({"image", "push", file(), "file"})));
    pull_.push_back(
      time_of(daemon_.command_by_tls({"image", "pull", "file", daemon_.folder() / "pulled"})));
    if (ours_first_)
      measure_rivals();
    time_of(daemon_.command_by_tls({"image", "remove", "file"}));
    time_of(sh("rm pulled copy"));
    return {push_.back(), {{"mb_s", file_bytes / push_.back() / 1e6}}};
  }

  void conclude(summary& to) const override {
    add(to, "push of 256 MiB over TLS", push_, "curl, sync, sha256sum ", checked_);
    add(to, "push of 256 MiB over TLS", push_, "curl ", curl_);
    add(to, "pull of 256 MiB over TLS", pull_, "curl ", curl_);
  }

private:
  static void add(summary& to, const char* what, const std::vector<double>& ours, const char* rival,
                  const std::vector<double>& theirs) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours.size(); ++i)
      ratios.push_back(theirs[i] / ours[i]);
    to.add({what, speed_text(p50(ours)), rival + speed_text(p50(theirs)),
            ratio_text(p50(ratios), 1), "", false});
  }

  std::string file() const { return daemon_.folder() / "file"; }

  void write_file() const {
    std::ofstream to{file(), std::ios::binary};
    std::mt19937_64 random;
    std::vector<std::uint64_t> piece(piece_bytes / sizeof(std::uint64_t));
    for (std::uint64_t done = 0; done < file_bytes; done += piece_bytes) {
      for (auto& number : piece)
        number = random();
      to.write(reinterpret_cast<const char*>(piece.data()), piece_bytes);
    }
    if (!to.flush())
      throw std::runtime_error(daemon_.folder().path()
                               + " has no room for 768 MiB; TMPDIR may name "
                                 "another");
  }

  /// In the daemon's folder.
  std::string line(const std::string& command) const {
    return "cd '" + daemon_.folder().path() + "' && { " + command + "; }";
  }
  program_line sh(const std::string& command) const { return {{"sh", "-c", line(command)}}; }

  std::string fetch(const std::string& name) const {
    return "curl -sSf --cacert pki/ca.pem -o copy https://127.0.0.1:" + std::to_string(port_) + '/'
           + name;
  }

  void measure_rivals() {
    curl_.push_back(time_of(sh(fetch("file"))));
    checked_.push_back(
      time_of(sh("sha256sum file >sum && " + fetch("file") + " && sync copy && sha256sum copy")));
  }

  bench_daemon daemon_;
  const std::uint16_t port_;
  std::optional<background_process> server_;
  bool ours_first_ = false;
  std::vector<double> push_, pull_, curl_, checked_;
};

} // namespace

std::unique_ptr<figure> make_image_figure(summary& to) {
  return std::make_unique<image_figure>(to);
}

} // namespace crosvisor::bench
