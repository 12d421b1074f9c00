// SPDX-License-Identifier: Apache-2.0
// What goes through the vsock device to and from a real guest, against a socket pair.
#include "crosvisor/bench/bench_service.hpp"
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/guest_folder.hpp"
#include "crosvisor/bench/measure.hpp"
#include "crosvisor/bench/reference_guest.hpp"
#include "crosvisor/bench/socket_rival.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/system/guest_stream.hpp"

#include <fmt/core.h>

#include <fstream>

namespace crosvisor::bench {

namespace {

using tests::guest_stream;

constexpr int repetitions_of_all = 7;
constexpr std::uint64_t transfer_bytes = 64u << 20;
constexpr int round_trips = 300;
constexpr int connections = 100;
// Where the demo guest listens; see docs/guest-protocol.md.
constexpr std::uint32_t echo_port = 7001, sink_port = 7002, source_port = 7003;
// Names another vhost-user backend, which ours is to be twice as fast as.
constexpr auto reference_variable = "CROSVISOR_REFERENCE_VSOCK";
constexpr double target_ratio = 2;

double mib_per_s(double seconds) {
  return static_cast<double>(transfer_bytes >> 20) / seconds;
}

std::string speed_text(double mib) {
  return fmt::format("{:.0f} MiB/s", mib);
}

void need(bool held, const char* what) {
  if (!held)
    throw std::runtime_error(what);
}

/// Processor time of the one child that is the vsock device, in seconds.
double device_seconds() {
  for (auto pid : tests::child_pids()) {
    auto path = "/proc/" + std::to_string(pid);
    std::string name, stat;
    std::getline(std::ifstream{path + "/comm"}, name);
    if (name != "crosvisor-vsock")
      continue;
    std::getline(std::ifstream{path + "/stat"}, stat);
    long user = 0, kernel = 0;
    need(std::sscanf(stat.c_str() + stat.rfind(')') + 2,
                     "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &kernel)
           == 2,
         "the device's times can't be read");
    return static_cast<double>(user + kernel) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  throw std::runtime_error("there is no vsock device");
}

class vsock_figure final : public figure {
public:
  vsock_figure() : service_("", CROSVISOR_VSOCK_PROGRAM) {
    if (!service_.embedded().host().host.vsock_device.available)
      throw not_here(service_.embedded().host().host.vsock_device.detail);
    auto guest = load_guest("serve");
    vm_ = service_.create(std::move(guest.config), std::move(guest.files));
    service_.self()
      ->request(vm_, patience, caf::subscribe_atom::value)
      .receive([](const vm_info&) {}, [](const caf::error&) {});
    service_.start(vm_);
    wait_for_ready();
    start_reference();
    measure();
    to_host_.clear(), to_guest_.clear(), connects_.clear(), trips_.clear();
    rival_speed_.clear(), rival_connects_.clear(), rival_trips_.clear();
    reference_to_host_.clear(), reference_to_guest_.clear(), reference_trips_.clear();
    device_ns_ = device_bytes_ = 0;
  }

  int repetitions() const override { return repetitions_of_all; }

  sample measure() override {
    auto cpu = device_seconds();
    to_host_.push_back(mib_per_s(take_from(connect(source_port))));
    to_guest_.push_back(mib_per_s(give_to(connect(sink_port))));
    device_ns_ += (device_seconds() - cpu) * 1e9;
    device_bytes_ += 2.0 * transfer_bytes;
    rival_speed_.push_back(mib_per_s(socket_transfer(transfer_bytes)));
    measure_reference();
    auto trip = round_trip(connect(echo_port));
    trips_.push_back(trip);
    rival_trips_.push_back(socket_round_trip(round_trips));
    connects_.push_back(connect_all());
    rival_connects_.push_back(socket_connect(connections));
    return {trip, {{"to_host_mib_s", to_host_.back()}, {"to_guest_mib_s", to_guest_.back()}}};
  }

  void conclude(summary& to) const override {
    auto pair = p50(rival_speed_);
    auto speed = [&](const char* name, double ours, double reference) {
      to.add({name, speed_text(ours), "socket pair " + speed_text(pair), ratio_text(ours, pair), "",
              false});
      if (reference_)
        to.add({name, speed_text(ours), "reference " + speed_text(reference),
                ratio_text(ours, reference), ">= 200 %", ours >= target_ratio * reference});
    };
    speed("vsock, guest to host", p50(to_host_), p50(reference_to_host_));
    speed("vsock, host to guest", p50(to_guest_), p50(reference_to_guest_));
    auto time = [&](const char* name, const char* rival, double ours, double theirs) {
      to.add({name, duration_text(ours), rival + duration_text(theirs),
              difference_text(ours - theirs), "", false});
    };
    time("vsock, round trip", "socket pair ", p50(trips_), p50(rival_trips_));
    if (reference_)
      time("vsock, round trip", "reference ", p50(trips_), p50(reference_trips_));
    time("vsock, connect", "unix socket ", p50(connects_), p50(rival_connects_));
    to.add({"vsock, device's CPU for a byte", fmt::format("{:.2f} ns", device_ns_ / device_bytes_),
            "", "", "", false});
    if (!reference_)
      to.note(std::string{"vsock: "} + reference_variable
              + " may name another vhost-user backend (vhost-device-vsock) to be compared with");
    to.note("vsock: the guest is emulated where KVM is not to be had, and is then what limits it");
  }

private:
  void wait_for_ready() {
    auto ready = false;
    while (!ready)
      service_.self()->receive(
        [&](const vm_event& event) {
          need(event.kind != vm_event_kind::dead, "the guest died");
          ready = event.kind == vm_event_kind::ready;
        },
        caf::after(patience) >> [] { throw std::runtime_error("the guest is not ready"); });
  }

  guest_stream connect(std::uint32_t port) {
    vsock_socket socket;
    service_.self()
      ->request(vm_, patience, caf::connect_atom::value, port, caf::timespan{patience})
      .receive([&](vsock_socket& made) { socket = std::move(made); },
               [](const caf::error& why) { throw std::runtime_error(sentence_of(why)); });
    return guest_stream{std::move(socket)};
  }

  void start_reference() {
    const auto* program = std::getenv(reference_variable);
    if (program == nullptr || *program == '\0')
      return;
    const auto& host = service_.embedded().host().host;
    auto guest = load_guest("serve");
    auto accel = std::get<vmm_choice>(choose_vmm(guest.config, host)).accel;
    reference_ = std::make_unique<reference_guest>(program, std::move(guest),
                                                   *host.find(vmm_kind::qemu), accel);
  }

  void measure_reference() {
    if (!reference_)
      return;
    reference_to_host_.push_back(mib_per_s(take_from(reference_->connect(source_port))));
    reference_trips_.push_back(round_trip(reference_->connect(echo_port)));
    // Its guest is never told of a half-close, so its receipt can't be waited for.
    auto sink = reference_->connect(sink_port);
    auto began = now_ns();
    need(sink.send_pattern(transfer_bytes), "not all went to the reference's guest");
    reference_to_guest_.push_back(mib_per_s(seconds(now_ns() - began)));
  }

  static double take_from(guest_stream source) {
    auto began = now_ns();
    need(source.send(std::to_string(transfer_bytes) + '\n'), "the guest takes no order");
    need(source.discard(transfer_bytes) == transfer_bytes, "not all came from the guest");
    return seconds(now_ns() - began);
  }

  static double give_to(guest_stream sink) {
    auto began = now_ns();
    need(sink.send_pattern(transfer_bytes), "not all went to the guest");
    sink.half_close();
    need(!sink.receive_all().empty(), "the guest has no receipt");
    return seconds(now_ns() - began);
  }

  static double round_trip(guest_stream echo) {
    auto began = now_ns();
    for (auto i = 0; i < round_trips; ++i)
      need(echo.send("x") && echo.receive(1) == "x", "no echo");
    return seconds(now_ns() - began) / round_trips;
  }

  double connect_all() {
    std::vector<guest_stream> all;
    auto began = now_ns();
    for (auto i = 0; i < connections; ++i)
      all.push_back(connect(echo_port));
    return seconds(now_ns() - began) / connections;
  }

  bench_service service_;
  vm_actor vm_;
  std::unique_ptr<reference_guest> reference_;
  std::vector<double> reference_to_host_, reference_to_guest_, reference_trips_;
  std::vector<double> to_host_, to_guest_, connects_, trips_;
  std::vector<double> rival_speed_, rival_connects_, rival_trips_;
  double device_ns_ = 0, device_bytes_ = 0;
};

} // namespace

std::unique_ptr<figure> make_vsock_figure(summary&) {
  return std::make_unique<vsock_figure>();
}

} // namespace crosvisor::bench
