// SPDX-License-Identifier: Apache-2.0
// The pieces of images, sent and received with several under way.
#pragma once

#include "crosvisor/cli/progress_bar.hpp"
#include "crosvisor/io/images/sha256.hpp"
#include "crosvisor/messages/interfaces.hpp"
#include "crosvisor/service/connection.hpp"

#include <caf/error.hpp>
#include <caf/event_based_actor.hpp>

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>

namespace crosvisor::cli {

/// How long one piece may take.
inline constexpr caf::timespan piece_bound = std::chrono::minutes{1};

/// Sends what is missing of an upload of `size` bytes. Blocks until all is there, something went
/// wrong, or the door is lost (is_lost()).
caf::error send_pieces(connection& service, int from, std::uint64_t size, const upload_place& place,
                       const std::shared_ptr<progress_bar>& bar);

/// An image that comes in pieces, as far as it has come.
struct received_image {
  received_image(int fd, const std::string& subject) : to(fd), bar(subject) {}

  const int to; ///< Is written to in order.
  progress_bar bar;
  io::sha256 sum;
  std::uint64_t written = 0;
  /// What came before its turn, by its offset.
  std::map<std::uint64_t, std::string> early;
  // What the image is, once the first piece has come.
  bool known = false;
  std::uint64_t size = 0;
  std::string sha256;
  std::uint64_t version = 0;
};

/// Asks the door for what is missing of an image, and writes it. Ends when all is there (no error),
/// something went wrong, or the door is lost; an exit message gives it up (cancelled). It blocks as
/// long as writing does.
void image_receiver(caf::event_based_actor* self,
                    const std::shared_ptr<std::promise<caf::error>>& answered,
                    const door_actor& door, const std::string& name,
                    const std::shared_ptr<received_image>& image);

} // namespace crosvisor::cli
