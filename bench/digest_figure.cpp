// SPDX-License-Identifier: Apache-2.0
// The digest of a large file, against the programs that compute the same.
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/apk/merkle_tree.hpp"
#include "crosvisor/io/unique_fd.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"
#include "crosvisor/tests/judge.hpp"

#include <fmt/core.h>

#include <fcntl.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace crosvisor::bench {

namespace {

constexpr int repetitions_of_all = 7;
constexpr std::uint64_t file_bytes = 1u << 30;
constexpr std::size_t piece_bytes = 1u << 20;
/// Against fsverity, on as many processors.
constexpr double target_ratio = 2.6;
constexpr unsigned target_processors = 2;
/// Against hashing alone, on all processors.
constexpr double target_part = 0.95;

/// A rival's command line, run in the folder of the file.
struct rival {
  const char* program;
  const char* package; ///< Debian's.
  std::string command;
  bool is_here = false;
  std::vector<double> bytes_per_s;
};

/// Runs a line of shell, and returns the last line that it prints.
std::string run(const std::string& folder, const std::string& line) {
  auto said = tests::ask("cd '" + folder + "' && { " + line + "; } 2>/dev/null");
  if (said.exit_code != 0)
    throw std::runtime_error("failed: " + line);
  auto end = said.out.find_last_not_of('\n');
  auto before = said.out.rfind('\n', end);
  return end == said.out.npos ? "" : said.out.substr(before == said.out.npos ? 0 : before + 1);
}

std::string speed_text(double bytes_per_s) {
  return fmt::format("{:.0f} MB/s", bytes_per_s / 1e6);
}

class digest_figure final : public figure {
public:
  explicit digest_figure(summary& to) {
    for (auto* one : {&fsverity_, &veritysetup_, &openssl_}) {
      auto found = run(folder_.path(), std::string{"command -v "} + one->program + " || true");
      one->is_here = !found.empty();
      if (!one->is_here)
        to.note(fmt::format("digest: {} is not here to be compared with (Debian's package {})",
                            one->program, one->package));
    }
    write_file();
    file_.reset(::open((folder_ / "file").c_str(), O_RDONLY | O_CLOEXEC));
    measure();
    for (auto* all :
         {&ours_, &fsverity_.bytes_per_s, &veritysetup_.bytes_per_s, &openssl_.bytes_per_s})
      all->clear();
  }

  int repetitions() const override { return repetitions_of_all; }

  sample measure() override {
    ours_first_ = !ours_first_;
    if (!ours_first_)
      measure_rivals();
    auto began = now_ns();
    need(io::build_merkle_tree(file_.get(), file_bytes, {}, io::job_control{}));
    auto took = seconds(now_ns() - began);
    ours_.push_back(file_bytes / took);
    if (ours_first_)
      measure_rivals();
    return {took, {{"mb_s", ours_.back() / 1e6}}};
  }

  void conclude(summary& to) const override {
    add(to, fsverity_, "fsverity digest ", processors_ == target_processors ? target_ratio : 0);
    add(to, veritysetup_, "veritysetup format ", 0);
    add(to, openssl_, "openssl speed ", target_part);
    to.note(fmt::format("digest: on {} processors; compared is what came one after the other, of "
                        "which the middle one counts; openssl speed reads no file",
                        processors_));
  }

private:
  void write_file() const {
    std::ofstream file{folder_ / "file", std::ios::binary};
    std::mt19937_64 random;
    std::vector<std::uint64_t> piece(piece_bytes / sizeof(std::uint64_t));
    for (std::uint64_t done = 0; done < file_bytes; done += piece_bytes) {
      for (auto& number : piece)
        number = random();
      file.write(reinterpret_cast<const char*>(piece.data()), piece_bytes);
    }
    if (!file.flush())
      throw std::runtime_error(folder_.path() + " has no room for 1 GiB; TMPDIR may name another");
  }

  void add(summary& to, const rival& other, const std::string& name, double target) const {
    if (!other.is_here)
      return;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours_.size(); ++i)
      ratios.push_back(ours_[i] / other.bytes_per_s[i]);
    to.add({"digest of 1 GiB", speed_text(p50(ours_)), name + speed_text(p50(other.bytes_per_s)),
            ratio_text(p50(ratios), 1), target > 0 ? fmt::format(">= {:.0f} %", 100 * target) : "",
            p50(ratios) >= target});
  }

  void measure_rivals() {
    for (auto* one : {&fsverity_, &veritysetup_}) {
      if (!one->is_here)
        continue;
      auto began = now_ns();
      run(folder_.path(), one->command);
      one->bytes_per_s.push_back(file_bytes / seconds(now_ns() - began));
    }
    if (!openssl_.is_here)
      return;
    // Its last line: `sha256         1203851.26k`, in thousands of bytes.
    auto line = run(folder_.path(), openssl_.command);
    auto speed = line.find_first_of("0123456789", line.find(' '));
    if (speed == line.npos)
      throw std::runtime_error("openssl speed says " + line);
    openssl_.bytes_per_s.push_back(std::strtod(line.c_str() + speed, nullptr) * 1000);
  }

  const unsigned processors_ = std::max(1u, std::thread::hardware_concurrency());
  const tests::temp_dir folder_;
  rival fsverity_{"fsverity", "fsverity", "fsverity digest file", false, {}};
  rival veritysetup_{"veritysetup",
                     "cryptsetup-bin",
                     "veritysetup format --no-superblock --salt=- file tree",
                     false,
                     {}};
  rival openssl_{
    "openssl",
    "openssl",
    fmt::format("openssl speed -elapsed -multi {} -evp sha256 -bytes 4096 -seconds 1", processors_),
    false,
    {}};
  io::unique_fd file_;
  bool ours_first_ = false;
  std::vector<double> ours_;
};

} // namespace

std::unique_ptr<figure> make_digest_figure(summary& to) {
  return std::make_unique<digest_figure>(to);
}

} // namespace crosvisor::bench
