// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/image_builder_pool.hpp"

#include "crosvisor/actors/image_builder.hpp"
#include "crosvisor/io/logging.hpp"

#include <caf/send.hpp>

#include <array>
#include <chrono>
#include <exception>
#include <utility>

namespace crosvisor::actors {

namespace {

image_queue::urgency urgency_of(const io::image_job& job) {
  return std::holds_alternative<io::vm_images>(job.what) ? image_queue::urgency::vm
                                                         : image_queue::urgency::file;
}

constexpr std::array job_kinds{"vm", "partition", "idsig"};

const char* kind_of(const io::image_job& job) {
  if (std::holds_alternative<io::vm_images>(job.what))
    return job_kinds[0];
  return std::holds_alternative<io::partition_job>(job.what) ? job_kinds[1] : job_kinds[2];
}

} // namespace

image_builder_pool_state::~image_builder_pool_state() {
  for (auto& [id, job] : jobs_)
    job.what->control->cancel();
  for (auto& [address, worker] : workers_)
    caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
}

// -- jobs ---------------------------------------------------------------------

template <class T>
caf::result<T> image_builder_pool_state::add(image_job what) {
  auto id = ++last_id_;
  if (!queue_->add(id, urgency_of(*what))) {
    ++counts_[kind_of(*what)].refused;
    return caf::make_error(vm_errc::busy, "there are " + std::to_string(queue_->waiting())
                                            + " image jobs that wait, as many as there may be "
                                              "(limits.images); try again later");
  }
  auto requester = caf::actor_cast<caf::actor_addr>(self_->current_sender());
  monitors_.add(requester);
  auto answer = self_->make_response_promise<T>();
  jobs_.emplace(id, pending_job{std::move(what), answer, requester, {}, self_->clock().now()});
  fill_up_workers();
  assign();
  return answer;
}

caf::result<caf::ok_atom> image_builder_pool_state::make_partition(const partition_spec& spec,
                                                                   vm_files files) {
  if (!files)
    return caf::make_error(vm_errc::invalid_config, "files: the descriptors are missing");
  if (auto problem = find_problem(spec))
    return caf::make_error(vm_errc::invalid_config, *problem);
  return add<caf::ok_atom>(std::make_shared<const io::image_job>(
    io::image_job{io::partition_job{spec, std::move(files)}}));
}

caf::result<idsig_info> image_builder_pool_state::update_idsig(const idsig_spec& spec,
                                                               vm_files files,
                                                               const progress_actor& progress) {
  if (!files)
    return caf::make_error(vm_errc::invalid_config, "files: the descriptors are missing");
  io::image_job job{io::idsig_job{spec, std::move(files)}};
  if (progress)
    job.control =
      std::make_shared<io::job_control>([progress](std::uint64_t done, std::uint64_t total) {
        caf::anon_send(progress, job_progress{done, total});
      });
  return add<idsig_info>(std::make_shared<const io::image_job>(std::move(job)));
}

void image_builder_pool_state::assign() {
  while (!idle_.empty()) {
    auto id = queue_->next();
    if (!id)
      return;
    auto& job = jobs_.at(*id);
    auto worker = std::move(idle_.back());
    idle_.pop_back();
    job.worker = worker.address();
    self_->send(worker, job_atom::value, *id, job.what);
  }
}

image_builder_pool_state::pending_job image_builder_pool_state::end(std::uint64_t id) {
  auto node = jobs_.extract(id);
  if (!node)
    return {};
  auto job = std::move(node.mapped());
  queue_->remove(id);
  monitors_.remove(job.requester);
  if (auto i = workers_.find(job.worker); i != workers_.end())
    worker_idle(i->second);
  return job;
}

void image_builder_pool_state::finish(std::uint64_t id, image_product product) {
  auto job = end(id);
  if (!job.what)
    return;
  count(job, true);
  if (auto* info = std::get_if<idsig_info>(&product->what))
    job.answer.deliver(std::move(*info));
  else if (std::holds_alternative<std::monostate>(product->what))
    job.answer.deliver(caf::ok_atom::value);
  else
    job.answer.deliver(std::move(product));
}

void image_builder_pool_state::fail(std::uint64_t id, caf::error why) {
  auto job = end(id);
  if (!job.what)
    return;
  count(job, false);
  job.answer.deliver(std::move(why));
}

// -- counts -------------------------------------------------------------------

void image_builder_pool_state::count(const pending_job& job, bool done) {
  auto& counts = counts_[kind_of(*job.what)];
  ++(done ? counts.done : counts.failed);
  counts.seconds.add(std::chrono::duration<double>(self_->clock().now() - job.began).count());
}

std::vector<metric_family> image_builder_pool_state::metrics() {
  metric_family jobs{"crosvisor_image_jobs_total",
                     "Image jobs that have ended, or were refused since too many waited.",
                     metric_kind::counter,
                     {}};
  metric_family seconds{"crosvisor_image_job_seconds",
                        "How long image jobs took, their turn among the others included.",
                        metric_kind::histogram,
                        {}};
  for (const auto* kind : job_kinds) {
    auto& counts = counts_[kind];
    for (auto [result, number] :
         {std::pair{"done", counts.done}, {"failed", counts.failed}, {"refused", counts.refused}})
      add_sample(jobs, {{"kind", kind}, {"result", result}}, static_cast<double>(number));
    seconds.samples.push_back(counts.seconds.sample({{"kind", kind}}));
  }
  metric_family queue{
    "crosvisor_image_jobs", "Image jobs that wait or run.", metric_kind::gauge, {}};
  add_sample(queue, {{"state", "waiting"}}, static_cast<double>(queue_->waiting()));
  add_sample(queue, {{"state", "running"}}, static_cast<double>(jobs_.size() - queue_->waiting()));
  return {std::move(jobs), std::move(seconds), std::move(queue)};
}

// -- workers ------------------------------------------------------------------

void image_builder_pool_state::fill_up_workers() {
  try {
    image_builder_pool_actor pool{self_};
    while (workers_.size() < options_.workers) {
      auto worker =
        options_.detached
          ? self_->spawn<caf::detached + caf::monitored>(image_builder, pool, options_.builder)
          : self_->spawn<caf::monitored>(image_builder, pool, options_.builder);
      workers_.emplace(worker.address(), worker);
    }
  } catch (const std::exception& error) { // No thread; tried again with the next job.
    log::error("image-builder-pool can't add a worker: {}", error.what());
  }
}

void image_builder_pool_state::worker_idle(const image_builder_actor& worker) {
  idle_.push_back(worker);
  assign();
}

// -- whoever goes down --------------------------------------------------------

void image_builder_pool_state::down(const caf::down_msg& gone) {
  if (workers_.contains(gone.source))
    worker_down(gone.source, gone.reason);
  else
    requester_down(gone.source);
}

void image_builder_pool_state::worker_down(const caf::actor_addr& worker,
                                           const caf::error& reason) {
  log::error("image-builder-pool lost a worker: {}", to_string(reason));
  workers_.erase(worker);
  std::erase_if(idle_, [&](const auto& idle) { return idle.address() == worker; });
  fill_up_workers();
  for (auto& [id, job] : jobs_) {
    if (job.worker != worker)
      continue;
    job.what->control->cancel(); // Should anything of it still run.
    return fail(id, caf::make_error(vm_errc::io_failed, "the image builder was lost"));
  }
}

void image_builder_pool_state::requester_down(const caf::actor_addr& requester) {
  monitors_.forget(requester);
  std::vector<std::uint64_t> waiting;
  for (auto& [id, job] : jobs_) {
    if (job.requester != requester)
      continue;
    job.what->control->cancel();
    if (!job.worker)
      waiting.push_back(id);
  }
  for (auto id : waiting)
    fail(id, caf::make_error(vm_errc::cancelled, "whoever wanted the job is gone"));
}

image_builder_pool_actor::behavior_type
image_builder_pool_state::make_behavior(image_builder_pool_options options) {
  options_ = std::move(options);
  queue_ = std::make_unique<image_queue>(options_.workers, options_.max_waiting);
  self_->set_down_handler([this](caf::down_msg& gone) { down(gone); });
  fill_up_workers();
  return {
    [this](job_atom, image_job& what) { return add<image_product>(std::move(what)); },
    [this](caf::get_atom, metrics_atom) { return metrics(); },
    [this](create_atom, const partition_spec& spec, vm_files& files) {
      return make_partition(spec, std::move(files));
    },
    [this](create_atom, const idsig_spec& spec, vm_files& files, const progress_actor& progress) {
      return update_idsig(spec, std::move(files), progress);
    },
    [this](worker_atom, const image_builder_actor& worker) { worker_idle(worker); },
    [this](finished_atom, std::uint64_t id, image_product& product) {
      finish(id, std::move(product));
    },
    [this](failed_atom, std::uint64_t id, caf::error& why) { fail(id, std::move(why)); },
  };
}

image_builder_pool_actor::behavior_type
image_builder_pool(image_builder_pool_actor::stateful_pointer<image_builder_pool_state> self,
                   image_builder_pool_options options) {
  return self->state.make_behavior(std::move(options));
}

} // namespace crosvisor::actors
