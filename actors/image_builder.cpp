// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/image_builder.hpp"

#include "crosvisor/messages/error.hpp"

#include <exception>
#include <utility>

namespace crosvisor::actors {

namespace {

using io::image_product;

caf::error error_of(const io::failure& why) {
  if (why.code == ECANCELED)
    return caf::make_error(vm_errc::cancelled, why.what);
  return caf::make_error(why.code == 0 ? vm_errc::invalid_config : vm_errc::io_failed, why.what);
}

/// The file of a job, or why there is none.
io::result<int> file_of(const io::descriptor_set& files, const file_ref& file, const char* key) {
  if (auto fd = files.get(file.index); file && fd >= 0)
    return fd;
  return io::failure{0, std::string{key} + ": came without a descriptor"};
}

/// Does one job.
struct doing {
  io::image_builder& builder;
  const io::job_control& control;

  io::result<image_product> operator()(const io::vm_images& vm) const {
    auto built = builder.build_vm_images(vm, control);
    if (!built)
      return built.why();
    return image_product{std::move(*built)};
  }

  io::result<image_product> operator()(const io::partition_job& job) const {
    auto file = file_of(*job.files, job.spec.file, "partition");
    if (!file)
      return file.why();
    if (auto made = builder.make_partition(*file, job.spec, control); !made)
      return made.why();
    return image_product{};
  }

  io::result<image_product> operator()(const io::idsig_job& job) const {
    auto apk = file_of(*job.files, job.spec.apk, "apk");
    if (!apk)
      return apk.why();
    auto idsig = file_of(*job.files, job.spec.idsig, "idsig");
    if (!idsig)
      return idsig.why();
    auto info = builder.update_idsig(*apk, *idsig, job.spec, control);
    if (!info)
      return info.why();
    return image_product{std::move(*info)};
  }
};

io::result<image_product> run(const io::image_job& job, io::image_builder& builder) {
  if (job.control->cancelled())
    return io::job_control::stopped();
  try {
    return std::visit(doing{builder, *job.control}, job.what);
  } catch (const std::exception& error) { // No memory.
    return io::failure{ENOMEM, std::string{"image builder: "} + error.what()};
  }
}

} // namespace

image_builder_actor::behavior_type
image_builder(image_builder_actor::stateful_pointer<image_builder_state> self,
              const image_builder_pool_actor& pool,
              const std::shared_ptr<io::image_builder>& builder) {
  self->send(pool, worker_atom::value, image_builder_actor{self});
  return {
    [=](job_atom, std::uint64_t id, const image_job& job) {
      if (auto done = run(*job, *builder))
        self->send(pool, finished_atom::value, id,
                   std::make_shared<image_product>(std::move(*done)));
      else
        self->send(pool, failed_atom::value, id, error_of(done.why()));
    },
  };
}

} // namespace crosvisor::actors
