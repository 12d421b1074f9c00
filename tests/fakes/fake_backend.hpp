// SPDX-License-Identifier: Apache-2.0
// Small working stand-ins behind io/backend.hpp: they record what is asked, and tests fire what
// happens.
#pragma once

#include "crosvisor/io/backend.hpp"

#include <fcntl.h>

#include <map>
#include <memory>
#include <new>
#include <set>
#include <utility>
#include <vector>

namespace crosvisor::tests {

/// A VMM that does nothing by itself.
class fake_vmm : public io::vmm_process {
public:
  struct asked {
    io::vmm_request what;
    completion done;
  };

  struct wanted_connection {
    std::uint32_t port;
    std::chrono::milliseconds bound;
    connection done;
  };

  io::launch_request request;
  io::vmm_callbacks callbacks;
  std::vector<asked> requests;
  std::vector<wanted_connection> connects;
  std::vector<balloon_completion> balloon_reads;
  std::vector<std::pair<std::uint64_t, completion>> balloon_writes;
  int terminated = 0;
  int killed = 0;
  std::function<void()> release_done;
  std::function<void()> aside_done;
  std::vector<origin_completion> origins;
  io::vm_notes notes;

  void ask(io::vmm_request what, completion done) override {
    requests.push_back({what, std::move(done)});
  }
  void get_balloon(balloon_completion done) override { balloon_reads.push_back(std::move(done)); }
  void set_balloon(std::uint64_t size_bytes, completion done) override {
    balloon_writes.emplace_back(size_bytes, std::move(done));
  }
  void connect_vsock(std::uint32_t port, std::chrono::milliseconds bound,
                     connection done) override {
    connects.push_back({port, bound, std::move(done)});
  }
  void terminate() override { ++terminated; }
  void kill() override { ++killed; }
  void note(std::string key, std::string value) override {
    notes[std::move(key)] = std::move(value);
  }
  void get_origin(origin_completion done) override { origins.push_back(std::move(done)); }
  void step_aside(std::function<void()> done) override { aside_done = std::move(done); }
  void release(std::function<void()> done) override { release_done = std::move(done); }
};

class fake_launcher : public io::vmm_launcher {
public:
  std::vector<std::shared_ptr<fake_vmm>> launched;

  std::shared_ptr<io::vmm_process> launch(io::launch_request request,
                                          io::vmm_callbacks callbacks) override {
    auto vmm = std::make_shared<fake_vmm>();
    vmm->request = std::move(request);
    vmm->callbacks = std::move(callbacks);
    launched.push_back(vmm);
    return vmm;
  }

  /// What adopt() knows; each once.
  std::set<vm_cid> kept;
  std::map<vm_cid, std::shared_ptr<fake_vmm>> adopted;

  std::shared_ptr<io::vmm_process> adopt(vm_cid cid, std::shared_ptr<io::guest_streams> streams,
                                         io::vmm_callbacks callbacks) override {
    if (kept.erase(cid) == 0)
      return nullptr;
    auto vmm = std::make_shared<fake_vmm>();
    vmm->request.cid = cid;
    vmm->request.streams = std::move(streams);
    vmm->callbacks = std::move(callbacks);
    adopted[cid] = vmm;
    return vmm;
  }

  /// What adopt_last() knows.
  std::map<vm_cid, std::shared_ptr<fake_vmm>> kept_last;
  std::shared_ptr<io::vmm_process> adopt_last(vm_cid cid) override {
    auto found = kept_last.extract(cid);
    return found ? found.mapped() : nullptr;
  }

  bool left = false;
  void leave() override { left = true; }
};

/// A kernel with vsock for guests, where other programs may have CIDs.
class fake_claimer : public io::cid_claimer {
public:
  std::set<vm_cid> taken;
  std::vector<vm_cid> claimed;
  bool broken = false;
  bool with_descriptors = false; ///< As the kernel's are; else nothing is behind a claim.
  /// Whatever is claimed and not let go of yet.
  std::vector<std::weak_ptr<const io::unique_fd>> held;

  io::result<claim> claim_cid(vm_cid cid) override {
    if (broken)
      return io::failure{13, "open /dev/vhost-vsock: Permission denied"};
    if (taken.count(cid) > 0)
      return claim{true, nullptr};
    claimed.push_back(cid);
    auto descriptor = std::make_shared<const io::unique_fd>(
      with_descriptors ? ::open("/dev/null", O_RDONLY | O_CLOEXEC) : -1);
    held.push_back(descriptor);
    return claim{false, descriptor};
  }
};

class fake_cid_store : public io::cid_store {
public:
  vm_cid last = no_cid;

  vm_cid load() override { return last; }
  void save(vm_cid cid) override { last = cid; }
};

/// Streams that read nothing by themselves.
class fake_streams : public io::guest_streams {
public:
  struct kept_reader {
    chunk_handler handler;
    std::uint64_t granted = 0;
  };

  io::stream_callbacks callbacks;
  std::vector<io::stream_socket> outputs;
  std::vector<io::stream_socket> statuses;
  std::map<reader_id, kept_reader> readers;
  bool broken = false;         ///< open_output() fails.
  io::unique_fd next_output;   ///< What it answers next; without one, an empty file.
  bool finish_at_once = false; ///< Else a test calls finish_done.
  int finishes = 0;
  std::function<void()> finish_done;

  void take_output(io::stream_socket socket) override { outputs.push_back(std::move(socket)); }
  void take_status(io::stream_socket socket) override { statuses.push_back(std::move(socket)); }
  io::result<io::unique_fd> open_output() override {
    if (broken)
      return io::failure{24, "pipe: Too many open files"};
    if (next_output)
      return std::move(next_output);
    return io::unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  }
  reader_id add_reader(chunk_handler handler) override {
    readers[++last_reader_].handler = std::move(handler);
    return last_reader_;
  }
  void grant(reader_id id, std::uint64_t bytes) override { readers.at(id).granted += bytes; }
  void remove_reader(reader_id id) override { readers.erase(id); }
  void finish(std::function<void()> done) override {
    ++finishes;
    if (finish_at_once)
      done();
    else
      finish_done = std::move(done);
  }

private:
  reader_id last_reader_ = 0;
};

class fake_stream_factory : public io::guest_stream_factory {
public:
  std::vector<std::shared_ptr<fake_streams>> made;
  bool finish_at_once = true;

  std::shared_ptr<io::guest_streams> make_streams(io::stream_callbacks callbacks) override {
    auto streams = std::make_shared<fake_streams>();
    streams->callbacks = std::move(callbacks);
    streams->finish_at_once = finish_at_once;
    made.push_back(streams);
    return streams;
  }
};

/// A host whose kernel may refuse ports.
class fake_vsock_listener : public io::vsock_listener {
public:
  io::vsock_callbacks callbacks;
  std::map<std::uint32_t, std::string> refused; ///< Ports, and why.
  std::vector<std::uint32_t> listens;
  int throws = 0; ///< How often listen() throws, as where there is no memory.
  int opens = 0;
  int closes = 0;

  void open(io::vsock_callbacks use) override {
    ++opens;
    callbacks = std::move(use);
  }
  io::result<void> listen(std::uint32_t port) override {
    listens.push_back(port);
    if (throws > 0 && throws-- > 0)
      throw std::bad_alloc{};
    if (auto i = refused.find(port); i != refused.end())
      return io::failure{98, i->second};
    return {};
  }
  void close() override {
    ++closes;
    callbacks = {};
  }

  /// A guest connects; the socket, of which the test keeps a weak pointer.
  std::weak_ptr<io::unique_fd> connect(vm_cid cid, std::uint32_t port) {
    auto socket = std::make_shared<io::unique_fd>();
    std::weak_ptr<io::unique_fd> seen = socket;
    if (callbacks.on_connection)
      callbacks.on_connection({cid, port, std::move(socket)});
    return seen;
  }
};

} // namespace crosvisor::tests
