// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vsock/virtqueue.hpp"

#include "crosvisor/tests/io/vsock/guest_memory.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.vsock.virtqueue

using namespace crosvisor::io::vsock;
using namespace crosvisor::tests;

namespace {

constexpr std::uint64_t buffer_at = guest_memory::high_at;

struct fixture {
  explicit fixture(std::uint16_t size = 8) : ring(memory, 0, size) {
    auto regions = memory.regions();
    std::vector<crosvisor::io::unique_fd> files;
    files.push_back(memory.copy());
    files.push_back(memory.copy());
    table = std::move(*memory_table::map(regions, files));
  }

  virtqueue make(std::uint16_t next = 0, bool event_idx = true,
                 buffer_use use = buffer_use::device_reads) {
    auto part = [&](std::uint64_t at) {
      return table.at_vmm_address(guest_memory::vmm_address(at), 1);
    };
    return {table,     use,  {part(ring.descriptors), part(ring.avail), part(ring.used)},
            ring.size, next, event_idx};
  }

  guest_memory memory;
  driver_ring ring;
  memory_table table;
  std::vector<iovec> pieces;
  buffer_chain chain;
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(virtqueue_tests, fixture)

CAF_TEST(buffers come in their order with all pieces) {
  auto queue = make();
  CAF_CHECK(queue.pop(pieces, chain) == pop_result::empty);
  ring.add({{buffer_at, 44}, {buffer_at + 100, 50}}, false);
  ring.add({{buffer_at + 200, 7}}, false);
  CAF_CHECK(queue.pop(pieces, chain) == pop_result::popped);
  CAF_CHECK_EQUAL(chain.head, 0u);
  CAF_CHECK_EQUAL(chain.count, 2u);
  CAF_CHECK_EQUAL(chain.bytes, 94u);
  CAF_CHECK_EQUAL(pieces[1].iov_len, 50u);
  CAF_CHECK(queue.pop(pieces, chain) == pop_result::popped);
  CAF_CHECK_EQUAL(chain.head, 2u);
  CAF_CHECK_EQUAL(chain.first, 2u);
  CAF_CHECK(queue.pop(pieces, chain) == pop_result::empty);
}

CAF_TEST(a buffer that was given back comes again) {
  auto queue = make();
  ring.add({{buffer_at, 44}}, false);
  CAF_CHECK(queue.pop(pieces, chain) == pop_result::popped);
  queue.unpop(1);
  CAF_CHECK_EQUAL(queue.next_avail(), 0u);
  CAF_CHECK(queue.pop(pieces, chain) == pop_result::popped);
}

CAF_TEST(used buffers are seen once published) {
  auto queue = make();
  queue.push(5, 77);
  CAF_CHECK(!ring.has_used());
  queue.publish();
  CAF_CHECK(ring.has_used());
  CAF_CHECK(ring.take_used() == (std::pair<std::uint32_t, std::uint32_t>{5, 77}));
}

CAF_TEST(indexes go on from the base and from the used index) {
  ring.set_avail_index(65535);
  ring.set_used_index(65535);
  ring.seen_used = 65535;
  auto queue = make(65535);
  for (auto i = 0; i < 3; ++i) {
    ring.add({{buffer_at, 44}}, false);
    CAF_CHECK(queue.pop(pieces, chain) == pop_result::popped);
    queue.push(chain.head, 0);
  }
  queue.publish();
  CAF_CHECK_EQUAL(queue.next_avail(), 2u);
  CAF_CHECK_EQUAL(ring.used_index(), 2u);
}

CAF_TEST(a call is due when the used index passes what the guest named) {
  auto queue = make();
  auto publish = [&](int count) {
    for (auto i = 0; i < count; ++i)
      queue.push(0, 0);
    queue.publish();
    return queue.call_due();
  };
  CAF_CHECK(!queue.call_due());
  ring.set_used_event(7);
  CAF_CHECK(publish(1));  // The first after a start, always.
  CAF_CHECK(!publish(1)); // 2
  CAF_CHECK(!queue.call_due());
  ring.set_used_event(3);
  CAF_CHECK(!publish(1)); // 3: one before.
  CAF_CHECK(publish(1));  // 4: the one named.
  CAF_CHECK(!publish(1)); // 5: one after.
  ring.set_used_event(6);
  CAF_CHECK(publish(4)); // 6 to 9: passed.
}

CAF_TEST(without event indexes a flag asks for calls and kicks) {
  auto queue = make(0, false);
  queue.push(0, 0);
  queue.publish();
  CAF_CHECK(queue.call_due());
  store(memory.at(ring.avail), std::uint16_t{1});
  queue.push(0, 0);
  queue.publish();
  CAF_CHECK(!queue.call_due());
  queue.disarm();
  CAF_CHECK_EQUAL(load<std::uint16_t>(memory.at(ring.used)), 1u);
  CAF_CHECK(!queue.arm());
  CAF_CHECK_EQUAL(load<std::uint16_t>(memory.at(ring.used)), 0u);
}

CAF_TEST(a buffer that comes before the device sleeps keeps it awake) {
  auto queue = make();
  CAF_CHECK(!queue.arm());
  CAF_CHECK_EQUAL(ring.avail_event(), 0u);
  ring.add({{buffer_at, 44}}, false);
  CAF_CHECK(queue.arm());
  queue.pop(pieces, chain);
  CAF_CHECK(!queue.arm());
  CAF_CHECK_EQUAL(ring.avail_event(), 1u);
}

CAF_TEST(pieces are copied and sliced across their borders) {
  char a[3] = {'a', 'b', 'c'};
  char b[4] = {'d', 'e', 'f', 'g'};
  std::vector<iovec> two{{a, 3}, {b, 4}};
  std::byte copied[5];
  copy_from_pieces(two, copied);
  CAF_CHECK_EQUAL(std::memcmp(copied, "abcde", 5), 0);
  std::vector<iovec> sliced;
  slice_pieces(two, 2, 3, sliced);
  CAF_CHECK_EQUAL(sliced.size(), 2u);
  CAF_CHECK(sliced[0].iov_base == a + 2 && sliced[0].iov_len == 1);
  CAF_CHECK(sliced[1].iov_base == b && sliced[1].iov_len == 2);
  copy_to_pieces(std::as_bytes(std::span{"1234", 4}), two);
  CAF_CHECK_EQUAL(a[0], '1');
  CAF_CHECK_EQUAL(b[0], '4');
  CAF_CHECK_EQUAL(b[1], 'e');
}

CAF_TEST_FIXTURE_SCOPE_END()
