// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/image_streams.hpp"

#include "crosvisor/cli/door_request.hpp"
#include "crosvisor/io/file_bytes.hpp"

#include <caf/send.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace crosvisor::cli {

namespace {

caf::error io_error(const io::failure& why) {
  return caf::make_error(vm_errc::io_failed, why.what);
}

// -- sending ------------------------------------------------------------------

/// An upload whose pieces are sent; each that is answered makes room for the next.
struct image_sender {
  caf::event_based_actor* self;
  std::shared_ptr<std::promise<caf::error>> answered;
  door_actor door;
  int from;
  std::uint64_t size;
  std::uint64_t upload;
  std::uint64_t next;
  std::shared_ptr<progress_bar> bar;
  std::size_t under_way = 0;

  void end(caf::error why) {
    answered->set_value(std::move(why));
    self->quit();
  }

  void send(const std::shared_ptr<image_sender>& me) {
    while (under_way < image_pieces_under_way && next < size) {
      auto bytes = std::min<std::uint64_t>(size - next, max_image_piece_bytes);
      std::string piece(static_cast<std::size_t>(bytes), '\0');
      if (auto read = io::read_all_at(from, next, piece); !read)
        return end(io_error(read.why()));
      ++under_way;
      self
        ->request(door, piece_bound, caf::put_atom::value,
                  image_piece{upload, next, std::move(piece)})
        .then([me](std::uint64_t there) { me->put(me, there); },
              [me](caf::error& why) { me->end(std::move(why)); });
      next += bytes;
    }
  }

  void put(const std::shared_ptr<image_sender>& me, std::uint64_t there) {
    --under_way;
    bar->show(there, size);
    if (there >= size)
      return end({});
    send(me);
  }
};

void run_sender(caf::event_based_actor* self,
                const std::shared_ptr<std::promise<caf::error>>& answered, const door_actor& door,
                int from, std::uint64_t size, const upload_place& place,
                const std::shared_ptr<progress_bar>& bar) {
  auto sender = std::make_shared<image_sender>(
    image_sender{self, answered, door, from, size, place.id, place.offset, bar});
  self->set_down_handler([sender](const caf::down_msg&) { sender->end(lost_error()); });
  self->monitor(door);
  if (place.offset >= size)
    return sender->end({});
  sender->send(sender);
}

// -- receiving ----------------------------------------------------------------

struct receiver {
  caf::event_based_actor* self;
  std::shared_ptr<std::promise<caf::error>> answered;
  door_actor door;
  std::string name;
  std::shared_ptr<received_image> image;
  std::uint64_t next;

  void end(caf::error why) {
    image->early.clear();
    answered->set_value(std::move(why));
    self->quit();
  }

  /// Before the image is known, only one is asked for.
  void ask(const std::shared_ptr<receiver>& me) {
    auto window = image->known ? image_pieces_under_way * std::uint64_t{max_image_piece_bytes} : 1;
    auto until = image->known ? std::min(image->size, image->written + window) : next + 1;
    while (next < until) {
      self->request(door, piece_bound, caf::get_atom::value, image_query{name, next})
        .then([me, at = next](image_part& part) { me->take(me, at, part); },
              [me](caf::error& why) { me->end(std::move(why)); });
      next += max_image_piece_bytes;
    }
  }

  void take(const std::shared_ptr<receiver>& me, std::uint64_t at, image_part& part) {
    if (!std::exchange(image->known, true)) {
      image->size = part.size_bytes;
      image->sha256 = part.sha256;
      image->version = part.version;
    }
    auto whole = std::min<std::uint64_t>(part.size_bytes - std::min(part.size_bytes, at),
                                         max_image_piece_bytes);
    if (part.size_bytes != image->size || part.version != image->version
        || part.bytes.size() != whole)
      return end(caf::make_error(vm_errc::wrong_state, "it is another image by now"));
    image->early.emplace(at, std::move(part.bytes));
    if (auto why = write())
      return end(std::move(why));
    if (image->written >= image->size)
      return end({});
    ask(me);
  }

  /// All whose turn it is.
  caf::error write() {
    for (auto i = image->early.begin(); i != image->early.end() && i->first == image->written;
         i = image->early.erase(i)) {
      std::string_view rest = i->second;
      while (!rest.empty()) {
        auto done = ::write(image->to, rest.data(), rest.size());
        if (done < 0 && errno == EINTR)
          continue;
        if (done < 0)
          return io_error(io::last_failure("can't be written"));
        rest.remove_prefix(static_cast<std::size_t>(done));
      }
      image->sum.add(i->second);
      image->written += i->second.size();
    }
    image->bar.show(image->written, image->size);
    return {};
  }
};

} // namespace

caf::error send_pieces(connection& service, int from, std::uint64_t size, const upload_place& place,
                       const std::shared_ptr<progress_bar>& bar) {
  auto answered = std::make_shared<std::promise<caf::error>>();
  auto future = answered->get_future();
  service.system().spawn<caf::detached>(run_sender, std::exchange(answered, nullptr),
                                        service.door(), from, size, place, bar);
  try {
    return future.get();
  } catch (const std::future_error&) { // Its actor was ended, which is the system's end.
    return lost_error();
  }
}

void image_receiver(caf::event_based_actor* self,
                    const std::shared_ptr<std::promise<caf::error>>& answered,
                    const door_actor& door, const std::string& name,
                    const std::shared_ptr<received_image>& image) {
  // What was written is whole pieces, unless it is all.
  auto me = std::make_shared<receiver>(receiver{self, answered, door, name, image, image->written});
  self->set_down_handler([me](const caf::down_msg&) { me->end(lost_error()); });
  self->set_exit_handler(
    [me](const caf::exit_msg&) { me->end(caf::make_error(vm_errc::cancelled, "given up")); });
  self->monitor(door);
  if (image->known && image->written >= image->size)
    return me->end({});
  me->ask(me);
}

} // namespace crosvisor::cli
