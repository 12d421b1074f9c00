// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/actors/vm_record.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE actors.vm_record

using namespace crosvisor;
using namespace crosvisor::actors;

CAF_TEST(an owner is read as it was written) {
  for (const auto& owner :
       {caller{}, caller{caller_kind::socket, 1000, 100, {27, 100}, 4711, "system_u:x\\n\ny", ""},
        caller{caller_kind::certificate, 0, 0, {}, 0, "", "CN=a\\,b\nc,O=Example"}}) {
    auto read = decode_owner(encode_owner(owner));
    CAF_REQUIRE(read);
    CAF_CHECK(read->kind == owner.kind);
    CAF_CHECK_EQUAL(read->uid, owner.uid);
    CAF_CHECK_EQUAL(read->gid, owner.gid);
    CAF_CHECK_EQUAL(read->pid, owner.pid);
    CAF_CHECK_EQUAL(read->groups, owner.groups);
    CAF_CHECK_EQUAL(read->label, owner.label);
    CAF_CHECK_EQUAL(read->subject, owner.subject);
  }
}

CAF_TEST(an owner that makes no sense is nobody) {
  for (const auto* text :
       {"", "socket", "king\n0\n0\n0\n\n\n", "socket\n-1\n0\n0\n\n\n", "socket\n1\n2\n3\nx\n\n",
        "socket\n99999999999\n0\n0\n\n\n", "certificate\n0\n0\n0\n\n\n"})
    CAF_CHECK(!decode_owner(text));
}

CAF_TEST(an ending is read as it was written) {
  auto stop = decode_ending(encode_ending({end_cause::stop, false, std::chrono::seconds{10}}));
  CAF_REQUIRE(stop);
  CAF_CHECK(stop->cause == end_cause::stop && !stop->kill);
  CAF_CHECK_EQUAL(stop->grace.count(), 10'000);
  auto kill = decode_ending(encode_ending({end_cause::stop, true, {}}));
  CAF_CHECK(kill && kill->kill && kill->cause == end_cause::stop);
  auto hung = decode_ending(encode_ending({end_cause::hung, true, {}}));
  CAF_CHECK(hung && hung->kill && hung->cause == end_cause::hung);
  auto expired = decode_ending(encode_ending({end_cause::start_expired, true, {}}));
  CAF_CHECK(expired && expired->cause == end_cause::start_expired);
}

CAF_TEST(an ending that makes no sense is none) {
  for (const auto* text : {"", "stop", "stop ", "stop -1", "stop 1 2", "stop 99999999999", "x 1"})
    CAF_CHECK(!decode_ending(text));
}

CAF_TEST(notes that make no sense get defaults) {
  io::kept_vm kept;
  kept.cid = 2048;
  kept.notes = {
    {owner_note, "x"}, {created_note, "-5"}, {restarts_note, "many"}, {ending_note, "perhaps"}};
  auto record = read_record(kept);
  CAF_CHECK(record.owner.kind == caller_kind::process);
  CAF_CHECK(record.created_ms > 0);
  CAF_CHECK_EQUAL(record.restarts, 0u);
  CAF_CHECK(!record.ending);
}
