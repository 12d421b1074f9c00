// SPDX-License-Identifier: Apache-2.0
// How fast a guest reads a disk of partitions, against the same bytes as one raw image.
#include "crosvisor/bench/bench_service.hpp"
#include "crosvisor/bench/console.hpp"
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/guest_folder.hpp"
#include "crosvisor/bench/measure.hpp"

#include <fstream>

namespace crosvisor::bench {

namespace {

constexpr int pairs = 5;
constexpr std::uint64_t disk_bytes = 256 << 20;

/// A file that is no hole, so that what is read was there.
void write_image(const std::string& path) {
  std::ofstream out{path, std::ios::binary};
  std::string block(1 << 20, '\0');
  for (std::size_t i = 0; i < block.size(); ++i)
    block[i] = static_cast<char>(i * 2654435761u >> 13);
  for (std::uint64_t written = 0; written < disk_bytes; written += block.size())
    out.write(block.data(), static_cast<std::streamsize>(block.size()));
  if (!out.flush())
    throw std::runtime_error(path + " can't be written");
}

class disk_figure final : public figure {
public:
  disk_figure() : config_(load_guest("demo").config), service_("") {
    config_.guest_protocol = false; // It speaks on its console alone.
    config_.params = "quiet crosvisor.demo=read";
    const auto& host = service_.embedded().host().host;
    auto whole = with_disk(true);
    if (auto choice = choose_vmm(whole, host); std::holds_alternative<refusal>(choice))
      throw not_here(std::get<refusal>(choice).why);
    write_image(service_.path("disk.img"));
    measure(); // The image is in memory.
    ours_.clear();
    raw_.clear();
  }

  int repetitions() const override { return pairs; }

  sample measure() override {
    ours_first_ = !ours_first_;
    if (ours_first_)
      ours_.push_back(read_time(with_disk(true)));
    raw_.push_back(read_time(with_disk(false)));
    if (!ours_first_)
      ours_.push_back(read_time(with_disk(true)));
    return {ours_.back(), {{"raw_us", raw_.back() * 1e6}}};
  }

  void conclude(summary& to) const override {
    constexpr auto mib = static_cast<double>(disk_bytes >> 20);
    auto rate = [](double seconds_taken) {
      return std::to_string(static_cast<int>(mib / seconds_taken)) + " MiB/s";
    };
    to.add({"guest reads a disk of partitions", rate(p50(ours_)), "raw image " + rate(p50(raw_)),
            ratio_text(p50(raw_), p50(ours_)), "", false});
  }

private:
  vm_config with_disk(bool partitions) const {
    auto config = config_;
    config.disks.assign(1, {});
    file_ref image{service_.path("disk.img"), 0};
    if (partitions)
      config.disks[0].partitions.push_back({"data", image, image_format::raw, false, ""});
    else
      config.disks[0].image = image;
    return config;
  }

  double read_time(vm_config config) {
    auto [vm, console] = service_.create_watched(std::move(config), guest_folder());
    service_.self()->send(vm, start_atom::value);
    auto began = wait_for_line(console.get(), "demo: reading");
    auto ended = wait_for_line(console.get(), "demo: read all");
    service_.kill({vm});
    service_.settle();
    return seconds(ended - began);
  }

  vm_config config_;
  bench_service service_;
  bool ours_first_ = false;
  std::vector<double> ours_, raw_;
};

} // namespace

std::unique_ptr<figure> make_disk_figure(summary&) {
  return std::make_unique<disk_figure>();
}

} // namespace crosvisor::bench
