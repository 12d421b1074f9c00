// SPDX-License-Identifier: Apache-2.0
// What it costs that a request comes from another process: over the Unix socket, and over TLS.
#include "crosvisor/bench/bench_daemon.hpp"
#include "crosvisor/bench/bench_service.hpp"
#include "crosvisor/bench/figure.hpp"
#include "crosvisor/bench/measure.hpp"

namespace crosvisor::bench {

namespace {

constexpr int requests = 3000;
constexpr int warm_up = 200;

/// Somebody who asks, and how long each answer took.
class asker {
public:
  explicit asker(caf::actor_system& system) : self_(system) {}

  template <class Actor>
  void ask(const Actor& whom) {
    auto began = now_ns();
    self_->request(whom, patience, list_atom::value)
      .receive([](const std::vector<vm_info>&) {},
               [](const caf::error& why) { throw std::runtime_error(sentence_of(why)); });
    took_.push_back(seconds(now_ns() - began));
  }

  std::vector<double>& took() { return took_; }
  const std::vector<double>& took() const { return took_; }

private:
  caf::scoped_actor self_;
  std::vector<double> took_;
};

class request_figure final : public figure {
public:
  request_figure()
      : service_(CROSVISOR_STAND_IN_QEMU),
        daemon_(CROSVISOR_STAND_IN_QEMU),
        local_(daemon_.connect()),
        remote_(daemon_.connect_by_tls()),
        in_process_(service_.system()),
        by_socket_(local_->system()),
        by_tls_(remote_->system()) {
    for (auto i = 0; i < warm_up; ++i)
      measure();
    for (auto* one : {&in_process_, &by_socket_, &by_tls_})
      one->took().clear();
  }

  int repetitions() const override { return requests; }

  sample measure() override {
    in_process_.ask(service_.embedded().handle());
    by_socket_.ask(local_->door());
    by_tls_.ask(remote_->door());
    return {by_socket_.took().back(),
            {{"in_process_us", in_process_.took().back() * 1e6},
             {"tls_us", by_tls_.took().back() * 1e6}}};
  }

  void conclude(summary& to) const override {
    for (const auto& [name, one] : {std::pair{"Unix socket", &by_socket_}, {"TLS", &by_tls_}})
      for (const auto& [part, of] : {std::pair{"p50", &p50}, {"p99", &p99}})
        to.add({std::string{"request over "} + name + ", " + part, duration_text(of(one->took())),
                "in the process " + duration_text(of(in_process_.took())),
                difference_text(of(one->took()) - of(in_process_.took())), "", false});
  }

private:
  bench_service service_;
  bench_daemon daemon_;
  std::unique_ptr<connection> local_, remote_;
  asker in_process_, by_socket_, by_tls_; // Go before their systems.
};

} // namespace

std::unique_ptr<figure> make_request_figure(summary&) {
  return std::make_unique<request_figure>();
}

} // namespace crosvisor::bench
