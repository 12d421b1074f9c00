// SPDX-License-Identifier: Apache-2.0
// The pool of workers that make images.
#pragma once

#include "crosvisor/actors/image_queue.hpp"
#include "crosvisor/actors/monitor_set.hpp"
#include "crosvisor/io/image_builder.hpp"
#include "crosvisor/messages/interfaces.hpp"

#include <caf/actor_clock.hpp>
#include <caf/response_promise.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace crosvisor::actors {

struct image_builder_pool_options {
  std::shared_ptr<io::image_builder> builder;
  /// How many jobs are done at a time; at least 1.
  std::size_t workers = 4;
  /// How many may wait.
  std::size_t max_waiting = 1024;
  /// Whether workers have threads of their own, as they must where jobs really block.
  bool detached = true;
};

class image_builder_pool_state {
public:
  using pointer = image_builder_pool_actor::stateful_pointer<image_builder_pool_state>;

  static inline const char* name = "image-builder-pool";

  explicit image_builder_pool_state(pointer self) : self_(self), monitors_(self) {}
  ~image_builder_pool_state();

  image_builder_pool_actor::behavior_type make_behavior(image_builder_pool_options options);

private:
  struct job_counts {
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
    std::uint64_t refused = 0;
    duration_histogram seconds; ///< From the request to the end, waiting included.
  };
  using clock_time = caf::actor_clock::time_point;

  struct pending_job {
    image_job what;
    caf::response_promise answer;
    caf::actor_addr requester;
    caf::actor_addr worker; ///< Null: it waits.
    clock_time began;
  };

  caf::result<caf::ok_atom> make_partition(const partition_spec& spec, vm_files files);
  caf::result<idsig_info> update_idsig(const idsig_spec& spec, vm_files files,
                                       const progress_actor& progress);
  /// Has the sender wait for `what`, which makes a T.
  template <class T>
  caf::result<T> add(image_job what);
  void fill_up_workers();
  void worker_idle(const image_builder_actor& worker);
  void assign();
  void finish(std::uint64_t id, image_product product);
  void fail(std::uint64_t id, caf::error why);
  /// What ends the job, whatever became of it; its worker is idle then. Empty when there is none.
  pending_job end(std::uint64_t id);
  void count(const pending_job& job, bool done);
  std::vector<metric_family> metrics();
  void down(const caf::down_msg& gone);
  void worker_down(const caf::actor_addr& worker, const caf::error& reason);
  void requester_down(const caf::actor_addr& requester);

  pointer self_;
  monitor_set monitors_; ///< The requesters.
  image_builder_pool_options options_;
  std::unique_ptr<image_queue> queue_;
  std::map<std::uint64_t, pending_job> jobs_; ///< Those that wait and those that run.
  std::map<caf::actor_addr, image_builder_actor> workers_;
  std::vector<image_builder_actor> idle_;
  std::uint64_t last_id_ = 0;
  std::map<std::string, job_counts> counts_; ///< By kind.
};

/// Spawns the workers and monitors them: one that goes down fails the job that it had, and is
/// replaced. Monitors whoever wants a job done, and cancels it when that goes down. Answers `busy`
/// when too many jobs wait. Ends with the service; running jobs are cancelled, and their workers
/// end with them.
image_builder_pool_actor::behavior_type
image_builder_pool(image_builder_pool_actor::stateful_pointer<image_builder_pool_state> self,
                   image_builder_pool_options options);

} // namespace crosvisor::actors
