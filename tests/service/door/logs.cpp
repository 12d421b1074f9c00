// SPDX-License-Identifier: Apache-2.0
// Kept logs through the door, and VMs that are passed on.
#include "crosvisor/service/door/passed_words.hpp"
#include "crosvisor/service/door/vm_table.hpp"
#include "crosvisor/tests/service/door/fixture.hpp"

#undef CAF_SUITE
#define CAF_SUITE service.door.logs

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

struct fixture : door_fixture {
  caller alice = user(1000);
  caller bob = user(1001);
  caller carol = user(1002);
  client a = connect(alice);
  client b = connect(bob);
  client c = connect(carol);

  fixture() {
    grant(alice, {permission::manage, permission::custom});
    grant(bob, {permission::manage});
    grant(carol, {permission::debug});
  }

  std::shared_ptr<outcome<log_piece>> read_log(const client& by, const std::string& vm) {
    log_query query;
    query.vm = vm;
    return request<log_piece>(by, caf::get_atom::value, query);
  }

  /// The reader's answer to its last question.
  void answer_log(io::result<log_piece> piece) {
    logs->reads.back().second(std::move(piece));
    settle();
  }

  static log_piece piece_of(vm_cid cid, std::string vm, std::string bytes) {
    return {cid, std::move(vm), std::move(bytes), {}, false, false};
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(log_tests, fixture)

// -- kept logs ----------------------------------------------------------------

CAF_TEST(a log is read by its vm s users and by debug) {
  auto cid = make_vm(a, "demo");
  auto number = std::to_string(cid);
  for (const auto& name : {number, std::string{"demo"}}) {
    auto piece = read_log(a, name);
    CAF_CHECK_EQUAL(logs->reads.back().first.vm, number);
    answer_log(piece_of(cid, "demo", "words"));
    CAF_CHECK_EQUAL(piece->get().bytes, "words");
  }
  auto seen = read_log(c, "demo");
  CAF_CHECK_EQUAL(logs->reads.back().first.vm, "demo");
  answer_log(piece_of(9, "demo", "others"));
  CAF_CHECK_EQUAL(seen->get().bytes, "others");
  CAF_CHECK_EQUAL(refusal(read_log(b, "demo")), "no_such_vm: no logs of a VM \"demo\"");
  CAF_CHECK_EQUAL(logs->reads.size(), 3u);
}

CAF_TEST(logs of forgotten vms are their users for a while) {
  auto cid = make_vm(a, "old");
  end_vm(run_vm(a, cid));
  pass(1h);
  auto piece = read_log(a, "old");
  answer_log(piece_of(cid, "old", "words"));
  CAF_CHECK_EQUAL(piece->get().bytes, "words");
  for (std::size_t i = 0; i < options.kept_logs; ++i) {
    auto next = make_vm(a);
    request<vm_info>(a, kill_atom::value, next);
  }
  pass(1h);
  CAF_CHECK_EQUAL(refusal(read_log(a, "old")), "no_such_vm: no logs of a VM \"old\"");
  CAF_CHECK(read_log(c, "old")->pending());
}

CAF_TEST(a log that turns out to be another vm s is not told) {
  auto cid = make_vm(a, "demo");
  auto piece = read_log(a, "demo");
  answer_log(piece_of(cid, "secret", "words"));
  CAF_CHECK_EQUAL(refusal(piece), "no_such_vm: no logs of a VM \"demo\"");
}

CAF_TEST(what keeps a log from being read is told) {
  make_vm(a, "demo");
  for (const auto& [failure, said] :
       {std::pair{io::failure{ENOENT, "x"}, "no_such_vm: no logs of a VM \"demo\""},
        std::pair{io::failure{EBUSY, "too many"}, "busy: too many"},
        std::pair{io::failure{EIO, "read: bad disk"}, "io_failed: read: bad disk"}}) {
    auto piece = read_log(a, "demo");
    answer_log(failure);
    CAF_CHECK_EQUAL(refusal(piece), said);
  }
  CAF_CHECK_EQUAL(refusal(read_log(c, "../etc")), "no_such_vm: no logs of a VM \"../etc\"");
  log_query odd;
  odd.vm = "demo";
  odd.log = static_cast<log_kind>(77);
  CAF_CHECK_EQUAL(refusal(request<log_piece>(a, caf::get_atom::value, odd)),
                  "invalid_config: log: there are console, log, vmm and crash");
  options.logs = nullptr;
  open();
  make_vm(a, "again");
  CAF_CHECK_EQUAL(refusal(read_log(a, "again")), "unsupported: this service keeps no logs");
}

// -- passing ------------------------------------------------------------------

CAF_TEST(a word passes a vm once) {
  auto cid = make_vm(a);
  auto word = request<ticket>(a, pass_atom::value, cid)->get();
  CAF_CHECK_EQUAL(word.size(), ticket_digits);
  CAF_CHECK_EQUAL(request<vm_info>(b, pass_atom::value, word)->get().cid, cid);
  CAF_CHECK_EQUAL(refusal(request<vm_info>(b, start_atom::value, cid)), "no answer");
  // Who has it may pass it on; the word is used up.
  CAF_CHECK_EQUAL(refusal(request<ticket>(b, pass_atom::value, cid)), "done");
  CAF_CHECK_EQUAL(refusal(request<vm_info>(a, pass_atom::value, word)).substr(0, 15),
                  "no_such_ticket:");
}

CAF_TEST(a word that is old or made up passes nothing) {
  auto cid = make_vm(a);
  auto word = request<ticket>(a, pass_atom::value, cid)->get();
  pass(5min);
  for (const auto& wrong : {word, std::string(ticket_digits, '0'), std::string{}})
    CAF_CHECK_EQUAL(refusal(request<vm_info>(b, pass_atom::value, wrong)),
                    "no_such_ticket: the word passes no VM: it was never given, was said before, "
                    "or is too old");
}

CAF_TEST(a word dies with its vm) {
  auto cid = make_vm(a);
  auto word = request<ticket>(a, pass_atom::value, cid)->get();
  auto vm = ask<vm_actor>(service, caf::get_atom::value, cid)->get();
  caf::anon_send_exit(vm, caf::exit_reason::kill);
  settle();
  CAF_CHECK_EQUAL(refusal(request<vm_info>(b, pass_atom::value, word)).substr(0, 15),
                  "no_such_ticket:");
}

CAF_TEST(words are counted and forgotten in time) {
  door::passed_words words;
  door::passed_words::time_point now{};
  std::string last;
  for (std::size_t i = 0; i < 16; ++i) {
    auto word = words.make(7, now);
    CAF_REQUIRE(static_cast<bool>(word));
    CAF_CHECK_NOT_EQUAL(*word, last);
    last = *word;
  }
  CAF_CHECK(static_cast<bool>(words.make(8, now)));
  CAF_CHECK_EQUAL(words.count(7, now), 16u);
  CAF_CHECK_EQUAL(words.count(8, now), 1u);
  CAF_CHECK_EQUAL(words.most(now), 16u);
  now += door::passed_words::lifetime;
  CAF_CHECK(!words.take(last, now));
  CAF_CHECK_EQUAL(words.most(now), 0u);
  CAF_CHECK(static_cast<bool>(words.make(7, now)));
  CAF_CHECK_EQUAL(words.size(), 1u);
}

CAF_TEST_FIXTURE_SCOPE_END()
