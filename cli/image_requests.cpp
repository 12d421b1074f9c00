// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/image_requests.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/made_file.hpp"
#include "crosvisor/cli/progress_bar.hpp"
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
#include <utility>

namespace crosvisor::cli {

namespace {

/// Digesting a file of the largest size takes hours at most.
constexpr caf::timespan job_bound = std::chrono::hours{24};

/// What a request came to, or why not.
template <class T>
using answer = std::variant<T, caf::error>;

template <class T>
struct asking {
  std::shared_ptr<std::promise<answer<T>>> answered;
  std::shared_ptr<progress_bar> bar;
};

/// Asks `maker`, and shows how far it is. It alone holds the promise, so that its end is heard.
template <class T, class... Words>
progress_actor::behavior_type ask(progress_actor::pointer self, asking<T> with,
                                  const image_maker_actor& maker, Words... words) {
  auto end = [self, answered = with.answered](answer<T> what) {
    answered->set_value(std::move(what));
    self->quit();
  };
  if constexpr (std::is_same_v<T, idsig_info>)
    self->request(maker, job_bound, create_atom::value, words..., progress_actor{self})
      .then([end](const idsig_info& info) { end(info); },
            [end](const caf::error& why) { end(why); });
  else
    self->request(maker, job_bound, create_atom::value, words...)
      .then([end](caf::ok_atom) { end(caf::unit); }, [end](const caf::error& why) { end(why); });
  return {
    [bar = with.bar](const job_progress& far) { bar->show(far.done_bytes, far.total_bytes); }};
}

early_end end_of(const caf::error& why, const std::string& subject) {
  auto code = why.category() == caf::atom("crosvisor")
                ? exit_code_of(static_cast<vm_errc>(why.code()))
                : infrastructure;
  return {code, io::printable(subject, 4096) + ": " + io::printable(sentence_of(why), 800)};
}

/// Waits for the answer; a signal ends whoever asks, and with that the job.
template <class T, class... Words>
outcome<T> await_answer(caf::actor_system& system, const image_maker_actor& maker,
                        const std::string& subject, Words... words) {
  asking<T> with{std::make_shared<std::promise<answer<T>>>(),
                 std::make_shared<progress_bar>(subject)};
  auto future = with.answered->get_future();
  auto asker = system.spawn(ask<T, Words...>, std::move(with), maker, words...);
  std::atomic<int> heard = 0;
  auto signals = signal_watch::start([&heard, asker](int number) {
    heard = number;
    caf::anon_send_exit(asker, caf::exit_reason::user_shutdown);
  });
  asker = nullptr;
  try {
    auto answer = future.get();
    if (auto* why = std::get_if<caf::error>(&answer))
      return end_of(*why, subject);
    return std::move(std::get<T>(answer));
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

} // namespace

outcome<idsig_info> image_requests::update_idsig(const std::string& apk, const std::string& idsig,
                                                 bool allow_unsigned) {
  auto input = open_to_read(apk);
  if (auto* end = std::get_if<early_end>(&input))
    return *end;
  auto output = made_file::open_or_make(idsig);
  if (!output)
    return early_end{usage, output.why().what};
  auto copy = output->duplicate();
  if (!copy)
    return early_end{infrastructure, copy.why().what};
  auto files = std::make_shared<io::descriptor_set>();
  idsig_spec spec{allow_unsigned, {apk, files->add(std::move(std::get<0>(input)))}, {}};
  spec.idsig = {idsig, files->add(std::move(*copy))};
  auto info = await_answer<idsig_info>(system_, maker_, apk, spec, files);
  if (std::holds_alternative<idsig_info>(info))
    output->keep();
  return info;
}

outcome<caf::unit_t> image_requests::make_partition(const std::string& path,
                                                    const partition_spec& spec) {
  auto output = made_file::make(path);
  if (!output)
    return early_end{output.why().code == EEXIST ? conflict : usage, output.why().what};
  auto copy = output->duplicate();
  if (!copy)
    return early_end{infrastructure, copy.why().what};
  auto files = std::make_shared<io::descriptor_set>();
  auto wanted = spec;
  wanted.file = {path, files->add(std::move(*copy))};
  auto made = await_answer<caf::unit_t>(system_, maker_, path, wanted, files);
  if (std::holds_alternative<caf::unit_t>(made))
    output->keep();
  return made;
}

} // namespace crosvisor::cli
