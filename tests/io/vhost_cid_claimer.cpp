// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/vhost_cid_claimer.hpp"

#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

#include <fcntl.h>

#undef CAF_SUITE
#define CAF_SUITE io.vhost_cid_claimer

using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

// A device of which open and the claim answer as told.
std::shared_ptr<cid_claimer> claimer(int open_error, int set_error,
                                     std::uint64_t* asked = nullptr) {
  vhost_vsock_calls calls;
  calls.open = [=] {
    return open_error != 0 ? -open_error : ::open("/dev/null", O_RDWR | O_CLOEXEC);
  };
  calls.set_guest_cid = [=](int, std::uint64_t cid) {
    if (asked != nullptr)
      *asked = cid;
    return -set_error;
  };
  return make_vhost_cid_claimer(std::move(calls));
}

} // namespace

CAF_TEST(a free CID is claimed as long as its descriptor is held) {
  holdings before;
  std::uint64_t asked = 0;
  auto claim = claimer(0, 0, &asked)->claim_cid(2048);
  CAF_REQUIRE(claim);
  CAF_CHECK_EQUAL(asked, 2048u);
  CAF_CHECK(!claim->taken);
  CAF_REQUIRE(claim->descriptor);
  CAF_CHECK_EQUAL(open_descriptors().size(), before.descriptors.size() + 1);
  claim->descriptor = nullptr;
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(a CID of another program is taken) {
  holdings before;
  auto claim = claimer(0, EADDRINUSE)->claim_cid(2048);
  CAF_REQUIRE(claim);
  CAF_CHECK(claim->taken);
  CAF_CHECK(!claim->descriptor);
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(without the device nothing is claimed and nothing is taken) {
  for (auto code : {ENOENT, ENODEV, ENXIO}) {
    auto claim = claimer(code, 0)->claim_cid(2048);
    CAF_REQUIRE(claim);
    CAF_CHECK(!claim->taken);
    CAF_CHECK(!claim->descriptor);
  }
}

CAF_TEST(a device that may not be opened is an error that says what to do) {
  auto claim = claimer(EACCES, 0)->claim_cid(2048);
  CAF_REQUIRE(!claim);
  CAF_CHECK_EQUAL(claim.why().code, EACCES);
  CAF_CHECK_NOT_EQUAL(claim.why().what.find("group"), std::string::npos);
  CAF_CHECK(!claimer(EMFILE, 0)->claim_cid(2048));
}

CAF_TEST(a refused CID is an error that leaves nothing open) {
  holdings before;
  auto claim = claimer(0, EINVAL)->claim_cid(4096);
  CAF_REQUIRE(!claim);
  CAF_CHECK_NOT_EQUAL(claim.why().what.find("CID 4096"), std::string::npos);
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(the kernel has a device or has none) {
  holdings before;
  CAF_CHECK(make_vhost_cid_claimer()->claim_cid(60'001) || ::access("/dev/vhost-vsock", F_OK) == 0);
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}
