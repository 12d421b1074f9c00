// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/image_transfer.hpp"

#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/image_streams.hpp"
#include "crosvisor/cli/reconnect.hpp"
#include "crosvisor/cli/request_errors.hpp"
#include "crosvisor/cli/signal_watch.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/images/sha256.hpp"

#include <caf/send.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace crosvisor::cli {

namespace {

/// To read again what is there of a large upload, or to have a large image on disk.
constexpr caf::timespan store_bound = std::chrono::hours{1};
/// How often an upload that somebody else goes on with is begun again in vain.
constexpr int most_beginnings = 5;

std::string shown(const std::string& subject) {
  return io::printable(subject, 4096);
}

early_end end_for(const caf::error& why, const std::string& subject, const endpoint& where) {
  auto end = end_of(why, where);
  if (!is_lost(why))
    end.what = shown(subject) + ": " + end.what;
  return end;
}

// -- the file -----------------------------------------------------------------

struct open_image {
  io::unique_fd fd;
  std::uint64_t size = 0;
};

outcome<open_image> open_file(const std::string& path) {
  open_image file;
  file.fd = io::unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
  struct stat is {};
  if (!file.fd || ::fstat(file.fd.get(), &is) != 0)
    return early_end{usage, shown(path) + ": "
                              + (errno == ENOENT ? "no such file" : std::strerror(errno))};
  if (!S_ISREG(is.st_mode))
    return early_end{usage, shown(path) + ": is not a regular file"};
  if (is.st_size == 0)
    return early_end{usage, shown(path) + ": is empty"};
  file.size = static_cast<std::uint64_t>(is.st_size);
  return file;
}

outcome<std::string> checksum_of(const open_image& file, const std::string& path) {
  progress_bar bar{path + " (checksum)"};
  io::sha256 sum;
  auto added = io::add_file(sum, file.fd.get(), file.size, [&](std::uint64_t done) {
    bar.show(done, file.size);
    return true;
  });
  if (!added)
    return early_end{usage, shown(path) + ": " + added.why().what};
  return sum.digits();
}

// -- push ---------------------------------------------------------------------

/// One file on its way, until it is stored.
class pushing {
public:
  pushing(connection& service, const open_image& file, image_upload wanted, std::string path,
          const say_function& say)
      : service_(service),
        file_(file),
        wanted_(std::move(wanted)),
        path_(std::move(path)),
        say_(say),
        bar_(std::make_shared<progress_bar>(path_)) {}

  outcome<pushed_image> run() {
    for (;;) {
      auto place = ask<upload_place>(service_, store_bound, create_atom::value, wanted_);
      const auto* refused = std::get_if<caf::error>(&place);
      auto why = refused != nullptr ? *refused : go_on(std::get<upload_place>(place));
      if (!why)
        return pushed_image{wanted_.size_bytes, was_there_};
      if (auto end = give_up(why))
        return *end;
    }
  }

private:
  /// From there to the end; none once it is stored.
  caf::error go_on(const upload_place& place) {
    if (place.is_stored) {
      // Also where the answer to its finish was lost.
      was_there_ = !finishing_;
      return {};
    }
    if (place.offset > 0 && !std::exchange(told_, true) && say_)
      say_(shown(path_) + ": goes on after " + std::to_string(place.offset) + " of "
           + std::to_string(wanted_.size_bytes) + " bytes");
    if (place.offset > reached_)
      beginnings_ = 0;
    reached_ = place.offset;
    if (auto why = send_pieces(service_, file_.fd.get(), wanted_.size_bytes, place, bar_))
      return why;
    finishing_ = true;
    auto stored =
      ask<image_info>(service_, store_bound, finish_atom::value, image_atom::value, place.id);
    const auto* why = std::get_if<caf::error>(&stored);
    return why == nullptr ? caf::error{} : *why;
  }

  std::optional<early_end> give_up(const caf::error& why) {
    told_ = true;
    if (is_lost(why) && reconnect(service_, say_))
      return std::nullopt;
    // A daemon that was started again, or closed it for others, has to be asked anew.
    if (errc_of(why) == vm_errc::no_such_image && ++beginnings_ < most_beginnings)
      return std::nullopt;
    return end_for(why, path_, service_.where());
  }

  connection& service_;
  const open_image& file_;
  const image_upload wanted_;
  const std::string path_;
  const say_function& say_;
  std::shared_ptr<progress_bar> bar_;
  std::uint64_t reached_ = 0;
  int beginnings_ = 0;
  bool told_ = false;
  bool finishing_ = false;
  bool was_there_ = false;
};

// -- pull ---------------------------------------------------------------------

/// One image on its way, until it is whole.
class pulling {
public:
  pulling(connection& service, std::string name, int to, const std::string& subject,
          const say_function& say)
      : service_(service),
        name_(std::move(name)),
        say_(say),
        state_(std::make_shared<received_image>(to, subject)) {
    auto heard = [this](int number) {
      heard_ = number;
      std::lock_guard guard{mutex_};
      if (receiver_)
        caf::anon_send_exit(receiver_, caf::exit_reason::user_shutdown);
    };
    signals_ = signal_watch::start(heard);
  }

  outcome<std::uint64_t> run() {
    for (;;) {
      auto why = receive();
      if (heard_ > 0)
        return early_end{128 + heard_, shown("image:" + name_) + ": given up"};
      if (!why)
        return check();
      if (!is_lost(why) || !reconnect(service_, say_))
        return end_for(why, "image:" + name_, service_.where());
    }
  }

private:
  caf::error receive() {
    auto answered = std::make_shared<std::promise<caf::error>>();
    auto future = answered->get_future();
    {
      std::lock_guard guard{mutex_};
      receiver_ = service_.system().spawn<caf::detached>(
        image_receiver, std::exchange(answered, nullptr), service_.door(), name_, state_);
    }
    auto why = future.get();
    std::lock_guard guard{mutex_};
    receiver_ = nullptr;
    return why;
  }

  outcome<std::uint64_t> check() {
    auto sum = state_->sum.digits();
    if (!state_->sha256.empty() && sum != state_->sha256)
      return early_end{failed, shown("image:" + name_) + ": what came has the checksum " + sum
                                 + ", and the image has " + shown(state_->sha256)};
    return state_->size;
  }

  connection& service_;
  const std::string name_;
  const say_function& say_;
  std::shared_ptr<received_image> state_;
  std::mutex mutex_;
  caf::actor receiver_; ///< Guarded by mutex_.
  std::atomic<int> heard_ = 0;
  io::result<std::unique_ptr<signal_watch>> signals_ = io::failure{}; // Goes first.
};

} // namespace

outcome<pushed_image> push_image(connection& service, const std::string& path,
                                 const std::string& name, const say_function& say) {
  auto file = open_file(path);
  if (auto* end = std::get_if<early_end>(&file))
    return *end;
  const auto& opened = std::get<open_image>(file);
  auto sum = checksum_of(opened, path);
  if (auto* end = std::get_if<early_end>(&sum))
    return *end;
  return pushing{service, opened, {name, opened.size, std::get<std::string>(sum)}, path, say}.run();
}

outcome<std::uint64_t> pull_image(connection& service, const std::string& name, int to,
                                  const std::string& subject, const say_function& say) {
  return pulling{service, name, to, subject, say}.run();
}

} // namespace crosvisor::cli
