// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/log/kept_log_reader.hpp"

#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/folder_lock.hpp"
#include "crosvisor/io/log/kept_logs.hpp"
#include "crosvisor/io/log/log_reader.hpp"
#include "crosvisor/io/worker_pool.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

namespace crosvisor::io {

namespace {

// One reader may wait for a slow disk while another's files are in memory.
constexpr std::size_t threads = 2;

// Reads up to the bound, to the end, or to where something is missing, whichever is first.
void fill(log_piece& piece, log_reader& reader) {
  std::string bytes(max_log_piece_bytes, '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    auto before = reader.gaps();
    auto got = reader.read(bytes.data() + filled, bytes.size() - filled);
    // What comes after a gap begins a piece of its own, which is marked.
    if (filled > 0 && (got == 0 || reader.gaps() != before))
      break;
    piece.next = reader.position();
    piece.gap = reader.gaps() > 0;
    if (got == 0)
      break;
    filled += got;
  }
  bytes.resize(filled);
  bytes.shrink_to_fit();
  piece.bytes = std::move(bytes);
}

result<log_piece> read_piece(const std::string& state_dir, const log_query& query) {
  if (query.log > log_kind::crash)
    return failure{0, "there is no such kind of log; there are console, log, vmm and crash"};
  // Compared with what is there, and so no part of any path.
  auto vm = find_logged_vm(list_logged_vms(state_dir), query.vm);
  auto folder = vm ? open_log_folder(*vm) : failure{ENOENT, {}};
  if (!folder && folder.why().code == ENOENT)
    return failure{ENOENT, "no logs of " + in_quotes(query.vm) + " are kept"};
  if (!folder)
    return folder.why();
  log_piece piece;
  piece.cid = vm->cid;
  piece.name = vm->name;
  piece.living = is_folder_locked(folder->get()); // Before the read that finds no more.
  auto name = to_string(query.log) + ".log";
  auto reader = query.from_end ? log_reader::open(folder->get(), name, true)
                               : log_reader::open_at(folder->get(), name, query.position);
  if (!reader)
    return reader.why();
  if (query.from_end)
    piece.next = reader->position();
  else
    fill(piece, *reader);
  return piece;
}

class pooled_reader final : public kept_log_reader {
public:
  explicit pooled_reader(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  void read(log_query query, completion done) override {
    if (waiting_.fetch_add(1) >= max_waiting_log_reads) {
      --waiting_;
      return done(
        failure{EBUSY, std::to_string(max_waiting_log_reads) + " reads of kept logs wait already"});
    }
    pool_.post([this, query = std::move(query), done = std::move(done)] {
      auto piece = read_piece(state_dir_, query);
      --waiting_;
      done(std::move(piece));
    });
  }

private:
  const std::string state_dir_;
  std::atomic<std::size_t> waiting_ = 0;
  worker_pool pool_{threads, "crosvisor-kept"}; // Goes first.
};

} // namespace

std::shared_ptr<kept_log_reader> kept_log_reader::make(std::string state_dir) {
  return std::make_shared<pooled_reader>(std::move(state_dir));
}

} // namespace crosvisor::io
