// SPDX-License-Identifier: Apache-2.0
// How long a disk takes to be put together from partitions, alone and with many at once.
#include "crosvisor/actors/image_builder_pool.hpp"
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/disk/composite_disk.hpp"
#include "crosvisor/io/linux_image_builder.hpp"
#include "crosvisor/messages/register_types.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <sys/mman.h>

namespace crosvisor::bench {

namespace {

constexpr std::size_t partitions = 5;
constexpr std::size_t at_once = 64;
constexpr int rounds = 200;
constexpr double p99_target = 1e-3;

struct system_config : caf::actor_system_config {
  system_config() { register_types(*this); }
};

class composite_figure final : public figure {
public:
  composite_figure() {
    for (std::size_t i = 0; i < partitions; ++i) {
      auto name = "part" + std::to_string(i);
      auto path = folder_.write(name, std::string(4096 * (i + 1) + (i % 2 == 0 ? 0 : 100), 'x'));
      fds_.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      sources_.push_back({name, fds_.back().get(), image_format::raw, false, "", name});
    }
    pool_ =
      system_.spawn(actors::image_builder_pool,
                    actors::image_builder_pool_options{io::make_linux_image_builder({}, ""), 4});
  }

  ~composite_figure() override {
    caf::anon_send_exit(pool_, caf::exit_reason::user_shutdown);
    pool_ = nullptr;
  }

  int repetitions() const override { return rounds; }

  sample measure() override {
    one_.push_back(time_of([this] { build(); }));
    bare_.push_back(time_of(write_memory_files));
    if (one_.size() % 10 == 0) {
      many_.push_back(time_of([this] { build_by_pool(); }));
      loop_.push_back(time_of([this] {
        for (std::size_t i = 0; i < at_once; ++i)
          build();
      }));
    }
    return {one_.back(), {{"bare_us", bare_.back() * 1e6}}};
  }

  void conclude(summary& to) const override {
    to.add({"disk of 5 partitions, p50", duration_text(p50(one_)),
            "its memory files alone " + duration_text(p50(bare_)),
            ratio_text(p50(one_), p50(bare_)), "", false});
    to.add({"disk of 5 partitions, p99", duration_text(p99(one_)),
            "its memory files alone " + duration_text(p99(bare_)),
            ratio_text(p99(one_), p99(bare_)), "< " + duration_text(p99_target),
            p99(one_) < p99_target});
    to.add({"64 VMs' disks at once, p50", duration_text(p50(many_)),
            "one after the other, no actors " + duration_text(p50(loop_)),
            ratio_text(p50(many_), p50(loop_)), "", false});
  }

private:
  void build() { need(io::build_composite_disk(sources_, {})); }

  /// What any such builder has to make: descriptor, header, footer and filler.
  static void write_memory_files() {
    std::string bytes(20'480, 'x');
    for (int i = 0; i < 4; ++i) {
      io::unique_fd file{::memfd_create("bare", MFD_CLOEXEC)};
      if (::write(file.get(), bytes.data(), bytes.size()) < 0)
        throw std::runtime_error(io::last_failure("write").what);
    }
  }

  /// The files of one VM whose disk has the partitions.
  image_job job() const {
    auto files = std::make_shared<io::descriptor_set>();
    vm_config config;
    config.name = "bench";
    config.disks.resize(1);
    for (const auto& source : sources_) {
      auto index = files->add(io::unique_fd{::fcntl(source.fd, F_DUPFD_CLOEXEC, 3)});
      config.disks[0].partitions.push_back(
        {source.label, {source.label, index}, image_format::raw, false, ""});
    }
    return std::make_shared<const io::image_job>(
      io::image_job{io::vm_images{std::move(config), {}, std::move(files)}});
  }

  void build_by_pool() {
    caf::scoped_actor self{system_};
    for (std::size_t i = 0; i < at_once; ++i)
      self->send(pool_, job_atom::value, job());
    std::size_t left = at_once;
    while (left > 0)
      self->receive([&](const image_product&) { --left; },
                    [](const caf::error& why) { throw std::runtime_error(sentence_of(why)); },
                    caf::after(patience) >>
                      [] { throw std::runtime_error("the builders did not answer"); });
  }

  tests::temp_dir folder_;
  std::vector<io::unique_fd> fds_;
  std::vector<io::partition_source> sources_;
  system_config config_;
  caf::actor_system system_{config_};
  image_builder_pool_actor pool_;
  std::vector<double> one_, bare_, many_, loop_;
};

} // namespace

std::unique_ptr<figure> make_composite_figure(summary&) {
  return std::make_unique<composite_figure>();
}

} // namespace crosvisor::bench
