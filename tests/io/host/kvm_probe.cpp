// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/host/kvm_probe.hpp"

#include "crosvisor/tests/io/temp_dir.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.host.kvm_probe

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

} // namespace

CAF_TEST(a speed of a processor is one and that of an interpreter is none) {
  CAF_CHECK(judge_kvm({400'000'000, 100ms}).available);
  CAF_CHECK(judge_kvm({2'000'000, 100ms}).available);
  auto interpreted = judge_kvm({150'000, 100ms});
  CAF_CHECK(!interpreted.available);
  CAF_CHECK(has(interpreted.detail, "interprets guests instead of running them (1 million"));
}

CAF_TEST(a guest that never came back is not one that runs) {
  CAF_CHECK(!judge_kvm({0, 100ms}).available);
  CAF_CHECK(!judge_kvm({1'000'000, 0ms}).available);
}

CAF_TEST(each failure says what to do) {
  CAF_CHECK(has(describe_kvm_failure({ENOENT, ""}, "/dev/kvm").detail, "no /dev/kvm; load kvm_"));
  CAF_CHECK(has(describe_kvm_failure({ENODEV, ""}, "/dev/kvm").detail, "load kvm_intel"));
  CAF_CHECK(has(describe_kvm_failure({EACCES, ""}, "/dev/kvm").detail, "add this user"));
  CAF_CHECK(has(describe_kvm_failure({0, "KVM_RUN: no"}, "/dev/kvm").detail, "KVM_RUN: no"));
}

CAF_TEST(a device that is not there can be neither opened nor measured) {
  temp_dir dir;
  auto opened = open_kvm(dir / "kvm");
  CAF_REQUIRE(!opened);
  CAF_CHECK_EQUAL(opened.why().code, ENOENT);
  auto measured = measure_kvm(dir / "kvm");
  CAF_REQUIRE(!measured);
  CAF_CHECK_EQUAL(measured.why().code, ENOENT);
}

CAF_TEST(another device is no KVM) {
  auto measured = measure_kvm("/dev/null");
  CAF_REQUIRE(!measured);
  CAF_CHECK(!describe_kvm_failure(measured.why(), "/dev/null").available);
}

CAF_TEST(where there is a KVM it is measured in time) {
  if (!open_kvm("/dev/kvm")) {
    CAF_MESSAGE("skipped: no KVM here");
    CAF_CHECK(!measure_kvm("/dev/kvm"));
    return;
  }
  auto start = std::chrono::steady_clock::now();
  auto measured = measure_kvm("/dev/kvm");
  CAF_CHECK(std::chrono::steady_clock::now() - start < 5s);
  if (measured)
    CAF_MESSAGE(judge_kvm(*measured).detail);
}

CAF_TEST(no host of this kind runs protected VMs without pKVM) {
  CAF_CHECK(!probe_protected_vms("/nonexistent/kvm").available);
}
