// SPDX-License-Identifier: Apache-2.0
// A command as a whole process, and the daemon's memory, each beside libvirt's.
#include "crosvisor/bench/bench_daemon.hpp"
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"

namespace crosvisor::bench {

namespace {

constexpr int commands = 100;
constexpr double target = 10e-3;
constexpr std::size_t wanted_vms = 1000;

class command_figure final : public figure {
public:
  explicit command_figure(summary& to) : daemon_(CROSVISOR_STAND_IN_QEMU) {
    try {
      rival_.emplace();
    } catch (const not_here& why) {
      to.note(std::string{"command: "} + why.what());
    }
    for (auto i = 0; i < 5; ++i)
      measure();
    ours_.clear();
    theirs_.clear();
  }

  int repetitions() const override { return commands; }

  sample measure() override {
    ours_.push_back(time_of(daemon_.command({"list"})));
    if (rival_)
      theirs_.push_back(time_of(rival_->command({"list"})));
    return {ours_.back(), {{"virsh_us", rival_ ? theirs_.back() * 1e6 : 0}}};
  }

  void conclude(summary& to) const override {
    for (const auto& [part, of] : {std::pair{"p50", &p50}, {"p99", &p99}})
      to.add({std::string{"crosvisor list, "} + part, duration_text(of(ours_)),
              rival_ ? "virsh list " + duration_text(of(theirs_)) : "",
              rival_ ? ratio_text(of(ours_), of(theirs_)) : "", "<= " + duration_text(target),
              of(ours_) <= target});
    to.add({"the daemon's memory, idle", kib_text(daemon_.resident()),
            rival_ ? "libvirtd " + kib_text(rival_->resident()) : "",
            rival_ ? ratio_text(daemon_.resident(), rival_->resident()) : "", "", false});
    add_thousand(to);
  }

private:
  /// Created and not started: what the daemon keeps of each, without the host's processes.
  void add_thousand(summary& to) const {
    auto link = daemon_.connect();
    caf::scoped_actor self{link->system()};
    for (std::size_t i = 0; i < wanted_vms; ++i)
      create(*link, self, "bench-" + std::to_string(i));
    std::vector<double> took;
    for (auto i = 0; i < commands; ++i)
      took.push_back(time_of(daemon_.command({"list"})));
    auto name = std::to_string(wanted_vms) + " VMs";
    to.add({"crosvisor list of " + name + ", p50", duration_text(p50(took)), "", "", "", false});
    to.add({"the daemon's memory with " + name, kib_text(daemon_.resident()), "", "", "", false});
  }

  static void create(connection& link, caf::scoped_actor& self, const std::string& name) {
    vm_config config;
    config.name = name;
    config.kernel = {"kernel", 0};
    config.vmm = vmm_kind::qemu;
    io::descriptor_set files;
    files.add(io::unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)});
    self->request(link.door(), patience, create_atom::value, config, need(link.give(files)))
      .receive([](const vm_info&) {},
               [](const caf::error& why) { throw std::runtime_error(sentence_of(why)); });
  }

  bench_daemon daemon_;
  std::optional<bench_libvirt> rival_;
  std::vector<double> ours_, theirs_;
};

} // namespace

std::unique_ptr<figure> make_command_figure(summary& to) {
  return std::make_unique<command_figure>(to);
}

} // namespace crosvisor::bench
