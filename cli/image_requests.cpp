// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/image_requests.hpp"

#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/made_file.hpp"
#include "crosvisor/cli/progress_bar.hpp"
#include "crosvisor/cli/request_errors.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/descriptor_set.hpp"

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <fcntl.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <utility>

namespace crosvisor::cli {

namespace {

/// Digesting a file of the largest size takes hours at most.
constexpr caf::timespan job_bound = std::chrono::hours{24};

template <class T>
struct asking {
  std::shared_ptr<std::promise<answer<T>>> answered;
  std::shared_ptr<progress_bar> bar;
};

/// Asks this process's builders.
template <class T, class Then, class Else>
void request(progress_actor::pointer self, const image_maker_actor& maker, const idsig_spec& spec,
             const vm_files& files, Then then, Else otherwise) {
  self->request(maker, job_bound, create_atom::value, spec, files, progress_actor{self})
    .then(then, otherwise);
}

template <class T, class Then, class Else>
void request(progress_actor::pointer self, const image_maker_actor& maker,
             const partition_spec& spec, const vm_files& files, Then then, Else otherwise) {
  self->request(maker, job_bound, create_atom::value, spec, files).then(then, otherwise);
}

/// Asks a service, whose progress is told to the sender.
template <class T, class Spec, class Then, class Else>
void request(progress_actor::pointer self, const door_actor& door, const Spec& spec,
             const ticket_list& files, Then then, Else otherwise) {
  self->monitor(door);
  self->request(door, job_bound, create_atom::value, spec, files).then(then, otherwise);
}

/// Asks `maker`, and shows how far it is. It alone holds the promise, so that its end is heard.
template <class T, class Maker, class Spec, class Files>
progress_actor::behavior_type ask_for(progress_actor::pointer self, asking<T> with,
                                      const Maker& maker, const Spec& spec, const Files& files) {
  auto end = [self, answered = with.answered](answer<T> what) {
    answered->set_value(std::move(what));
    self->quit();
  };
  self->set_down_handler([end](const caf::down_msg&) { end(lost_error()); });
  request<T>(
    self, maker, spec, files, [end](const T& made) { end(made); },
    [end](const caf::error& why) { end(why); });
  return {
    [bar = with.bar](const job_progress& far) { bar->show(far.done_bytes, far.total_bytes); }};
}

early_end end_of_job(const caf::error& why, const std::string& subject, const endpoint& where) {
  auto end = end_of(why, where);
  return is_lost(why) ? end
                      : early_end{end.exit_code, io::printable(subject, 4096) + ": " + end.what};
}

/// Waits for the answer; a signal ends whoever asks, and with that the job.
template <class T, class Maker, class Spec, class Files>
outcome<T> await_answer(caf::actor_system& system, const Maker& maker, const endpoint& where,
                        const std::string& subject, const Spec& spec, const Files& files) {
  asking<T> with{std::make_shared<std::promise<answer<T>>>(),
                 std::make_shared<progress_bar>(subject)};
  auto future = with.answered->get_future();
  auto asker = system.spawn(ask_for<T, Maker, Spec, Files>, std::move(with), maker, spec, files);
  std::atomic<int> heard = 0;
  auto signals = signal_watch::start([&heard, asker](int number) {
    heard = number;
    caf::anon_send_exit(asker, caf::exit_reason::user_shutdown);
  });
  asker = nullptr;
  try {
    auto what = future.get();
    if (auto* why = std::get_if<caf::error>(&what))
      return end_of_job(*why, subject, where);
    return std::move(std::get<T>(what));
  } catch (const std::future_error&) {
    return early_end{heard > 0 ? 128 + heard : static_cast<int>(infrastructure),
                     io::printable(subject, 4096) + ": given up"};
  }
}

outcome<io::unique_fd> open_to_read(const std::string& path) {
  io::unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
  if (!fd)
    return early_end{usage, io::printable(path, 4096) + ": "
                              + (errno == ENOENT ? "no such file" : std::strerror(errno))};
  return fd;
}

/// @returns its index among the files.
outcome<std::uint32_t> add_input(const std::string& path, io::descriptor_set& files) {
  if (auto image = stored_image_name(path))
    return files.add_stored_image(std::move(*image));
  auto input = open_to_read(path);
  if (auto* end = std::get_if<early_end>(&input))
    return *end;
  return files.add(std::move(std::get<0>(input)));
}

/// What a file that is made, if it is one of this host's, and what ends the command early.
using added_output = std::pair<std::optional<made_file>, std::optional<early_end>>;

added_output add_output(const std::string& path, io::descriptor_set& files, file_ref& as,
                        io::result<made_file> (*open)(const std::string&)) {
  if (auto image = stored_image_name(path)) {
    as = {path, files.add_stored_image(std::move(*image))};
    return {};
  }
  auto output = open(path);
  if (!output)
    return {std::nullopt,
            early_end{output.why().code == EEXIST ? conflict : usage, output.why().what}};
  auto copy = output->duplicate();
  if (!copy)
    return {std::nullopt, early_end{infrastructure, copy.why().what}};
  as = {path, files.add(std::move(*copy))};
  return {std::move(*output), std::nullopt};
}

} // namespace

template <class T, class Spec>
outcome<T> image_requests::make(const std::string& subject, const Spec& spec,
                                const vm_files& files) {
  const auto* maker = std::get_if<image_maker_actor>(&maker_);
  if (maker != nullptr && !files->stored_images().empty())
    return early_end{usage, "image:" + io::printable(files->stored_images().begin()->second)
                              + " is a daemon's, and none was named; give --connect"};
  if (maker != nullptr)
    return await_answer<T>(system_, *maker, {}, subject, spec, files);
  auto& service = *std::get<connection*>(maker_);
  auto tickets = service.give(*files);
  if (!tickets)
    return early_end{tickets.why().code == 0 ? usage : infrastructure,
                     io::printable(subject, 4096) + ": " + io::printable(tickets.why().what, 800)};
  return await_answer<T>(system_, service.door(), service.where(), subject, spec, *tickets);
}

outcome<idsig_info> image_requests::update_idsig(const std::string& apk, const std::string& idsig,
                                                 bool allow_unsigned) {
  auto files = std::make_shared<io::descriptor_set>();
  auto input = add_input(apk, *files);
  if (auto* end = std::get_if<early_end>(&input))
    return *end;
  idsig_spec spec{allow_unsigned, {apk, std::get<std::uint32_t>(input)}, {}};
  auto [output, end] = add_output(idsig, *files, spec.idsig, made_file::open_or_make);
  if (end)
    return *end;
  auto info = make<idsig_info>(apk, spec, files);
  if (output && std::holds_alternative<idsig_info>(info))
    output->keep();
  return info;
}

outcome<caf::ok_atom> image_requests::make_partition(const std::string& path,
                                                     const partition_spec& spec) {
  auto files = std::make_shared<io::descriptor_set>();
  auto wanted = spec;
  auto [output, end] = add_output(path, *files, wanted.file, made_file::make);
  if (end)
    return *end;
  auto made = make<caf::ok_atom>(path, wanted, files);
  if (output && std::holds_alternative<caf::ok_atom>(made))
    output->keep();
  return made;
}

} // namespace crosvisor::cli
