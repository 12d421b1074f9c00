// SPDX-License-Identifier: Apache-2.0
// From a request to a QEMU that runs the guest: the daemon's, a bare one, and libvirt's.
#include "crosvisor/bench/bare_vmm.hpp"
#include "crosvisor/bench/bench_daemon.hpp"
#include "crosvisor/bench/bench_service.hpp"
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/guest_folder.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/io/config/open_vm_files.hpp"

#include <filesystem>

namespace crosvisor::bench {

namespace {

constexpr int rounds = 7;

class create_figure final : public figure {
public:
  explicit create_figure(summary& to)
      : folder_(guest_folder()),
        config_(load_guest("demo").config),
        probe_(""),
        daemon_(""),
        link_(daemon_.connect()),
        self_(link_->system()) {
    config_.vmm = vmm_kind::qemu;
    config_.accel = accel_kind::tcg;
    config_.guest_protocol = false;
    config_.disks.clear();
    driver_ = io::make_qemu_driver(*probe_.embedded().host().host.find(vmm_kind::qemu));
    try {
      rival_.emplace();
      write_domain();
    } catch (const not_here& why) {
      to.note(std::string{"create: "} + why.what());
    }
    measure(); // The files are in memory.
    ours_.clear();
    bare_.clear();
    theirs_.clear();
  }

  int repetitions() const override { return rounds; }

  sample measure() override {
    ours_.push_back(measure_ours());
    bare_.push_back(measure_bare());
    if (rival_)
      theirs_.push_back(measure_rival());
    return {ours_.back(), {{"bare_us", bare_.back() * 1e6}}};
  }

  void conclude(summary& to) const override {
    to.add({"create and start over the socket, p50", duration_text(p50(ours_)),
            "QEMU alone " + duration_text(p50(bare_)), difference_text(p50(ours_) - p50(bare_)), "",
            false});
    if (rival_)
      to.add({"the same", duration_text(p50(ours_)), "virsh create " + duration_text(p50(theirs_)),
              ratio_text(p50(ours_), p50(theirs_)), "", false});
  }

private:
  double measure_ours() {
    auto config = config_;
    auto files = need(io::open_vm_files(config, folder_));
    auto began = now_ns();
    auto cid = ask(create_atom::value, config, need(link_->give(*files)));
    ask(start_atom::value, cid);
    auto took = seconds(now_ns() - began);
    ask(kill_atom::value, cid);
    return took;
  }

  /// Until QMP says that the guest runs.
  double measure_bare() {
    auto config = config_;
    auto files = need(io::open_vm_files(config, folder_));
    bare_vmm vmm{*driver_, config, config.accel, std::move(files)};
    vmm.let_guest_run();
    auto began = now_ns();
    vmm.spawn();
    vmm.wait_until_running();
    return seconds(now_ns() - began);
  }

  double measure_rival() {
    auto took = time_of(rival_->command({"create", rival_->shared("domain.xml")}));
    time_of(rival_->command({"destroy", "bench"}));
    return took;
  }

  template <class... Words>
  vm_cid ask(Words... words) {
    vm_cid cid = no_cid;
    self_->request(link_->door(), patience, words...)
      .receive([&](const vm_info& info) { cid = info.cid; },
               [](const caf::error& why) { throw std::runtime_error(sentence_of(why)); });
    return cid;
  }

  void write_domain() {
    for (const auto* name : {"vmlinux", "initramfs.cpio", "domain.xml"})
      std::filesystem::remove(rival_->shared(name));
    for (const auto* name : {"vmlinux", "initramfs.cpio"})
      std::filesystem::copy(folder_ + '/' + name, rival_->shared(name));
    std::ofstream{rival_->shared("domain.xml")}
      << "<domain type='qemu'><name>bench</name><memory unit='MiB'>" << config_.memory_mib
      << "</memory><vcpu>" << config_.cpus
      << "</vcpu><os><type arch='x86_64' machine='pc'>hvm</type><kernel>"
      << rival_->shared("vmlinux") << "</kernel><initrd>" << rival_->shared("initramfs.cpio")
      << "</initrd><cmdline>quiet</cmdline></os><devices/></domain>\n";
  }

  std::string folder_;
  vm_config config_;
  bench_service probe_;
  bench_daemon daemon_;
  std::unique_ptr<connection> link_;
  caf::scoped_actor self_;
  std::unique_ptr<io::vmm_driver> driver_;
  std::optional<bench_libvirt> rival_;
  std::vector<double> ours_, bare_, theirs_;
};

} // namespace

std::unique_ptr<figure> make_create_figure(summary& to) {
  return std::make_unique<create_figure>(to);
}

} // namespace crosvisor::bench
