// SPDX-License-Identifier: Apache-2.0
// The smallest guest there is, run for a while. The kernel's Documentation/virt/kvm/api.rst has the
// calls.
#include "crosvisor/io/host/kvm_probe.hpp"

#include "crosvisor/io/unique_fd.hpp"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <cstring>
#include <ctime>
#include <thread>

namespace crosvisor::io {

#if defined(__x86_64__)

namespace {

constexpr std::uint64_t code_address = 0x1000;
constexpr std::size_t memory_bytes = 0x2000;

/// Real mode, 16 bits: counts CX down from 5,000 and tells the host by a write to port 0x10.
constexpr std::array<unsigned char, 10> code{
  0xb9, 0x88, 0x13, // mov cx, 5000
  0x49,             // dec cx
  0x75, 0xfd,       // jnz to the dec
  0xe6, 0x10,       // out 0x10, al
  0xeb, 0xf6,       // jmp to the mov
};
constexpr std::uint64_t instructions_per_exit = 2 * 5000 + 3;

/// Memory that KVM and this process share.
class mapping {
public:
  mapping(std::size_t size, int flags, int fd)
      : address_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0)), size_(size) {}
  mapping(const mapping&) = delete;
  mapping& operator=(const mapping&) = delete;
  ~mapping() {
    if (*this)
      ::munmap(address_, size_);
  }

  explicit operator bool() const noexcept { return address_ != MAP_FAILED; }
  void* get() const noexcept { return address_; }

private:
  void* address_;
  std::size_t size_;
};

/// Makes a signal pending for the calling thread when `after` is over, and lets nothing but KVM_RUN
/// notice it: the signal stays blocked, so that no handler is needed, and KVM_RUN is told to end
/// for it. (KVM_SET_SIGNAL_MASK in api.rst.) For a thread that ends soon after.
class run_limit {
public:
  result<void> arm(int vcpu, std::chrono::milliseconds after) {
    if (auto blocked = block(vcpu); !blocked)
      return blocked;
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal();
    event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0)
      return last_failure("make a timer");
    armed_ = true;
    itimerspec when{};
    when.it_value.tv_nsec = std::chrono::nanoseconds{after}.count();
    if (::timer_settime(timer_, 0, &when, nullptr) != 0)
      return last_failure("set a timer");
    return {};
  }

  ~run_limit() {
    if (armed_)
      ::timer_delete(timer_);
  }

private:
  static int signal() { return SIGRTMIN + 7; }

  static result<void> block(int vcpu) {
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, signal());
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &only, &before);
    sigdelset(&before, signal());
    // KVM takes the kernel's own set of 64 signals, without glibc's spare room.
    constexpr std::size_t kernel_set_bytes = 8;
    alignas(kvm_signal_mask) std::array<char, sizeof(kvm_signal_mask) + kernel_set_bytes> room{};
    auto* mask = reinterpret_cast<kvm_signal_mask*>(room.data());
    mask->len = kernel_set_bytes;
    std::memcpy(room.data() + sizeof(kvm_signal_mask), &before, kernel_set_bytes);
    if (::ioctl(vcpu, KVM_SET_SIGNAL_MASK, mask) != 0)
      return last_failure("KVM_SET_SIGNAL_MASK");
    return {};
  }

  timer_t timer_{};
  bool armed_ = false;
};

result<void> load_guest(int vm, void* memory) {
  std::memcpy(static_cast<char*>(memory) + code_address, code.data(), code.size());
  kvm_userspace_memory_region region{};
  region.memory_size = memory_bytes;
  region.userspace_addr = reinterpret_cast<std::uint64_t>(memory);
  if (::ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) != 0)
    return last_failure("KVM_SET_USER_MEMORY_REGION");
  // Intel's processors want a place for real mode; what it is does not matter here.
  if (::ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000UL) != 0)
    return last_failure("KVM_SET_TSS_ADDR");
  return {};
}

result<void> point_at_code(int vcpu) {
  kvm_sregs special{};
  if (::ioctl(vcpu, KVM_GET_SREGS, &special) != 0)
    return last_failure("KVM_GET_SREGS");
  special.cs.base = 0;
  special.cs.selector = 0;
  if (::ioctl(vcpu, KVM_SET_SREGS, &special) != 0)
    return last_failure("KVM_SET_SREGS");
  kvm_regs general{};
  general.rip = code_address;
  general.rflags = 2; // The bit that is always set.
  if (::ioctl(vcpu, KVM_SET_REGS, &general) != 0)
    return last_failure("KVM_SET_REGS");
  return {};
}

/// Runs until the limit, and counts how often the guest wrote to its port.
result<kvm_measurement> run_guest(int vcpu, const kvm_run* state) {
  using clock = std::chrono::steady_clock;
  run_limit limit;
  if (auto armed = limit.arm(vcpu, kvm_measure_time); !armed)
    return armed.why();
  kvm_measurement measured;
  auto start = clock::now();
  while (measured.elapsed < kvm_measure_time) {
    auto ran = ::ioctl(vcpu, KVM_RUN, 0);
    measured.elapsed = clock::now() - start;
    if (ran != 0 && errno == EINTR)
      break;
    if (ran != 0)
      return last_failure("KVM_RUN");
    if (state->exit_reason != KVM_EXIT_IO)
      return failure{0, "a guest stopped at once, for reason " + std::to_string(state->exit_reason)
                          + " of linux/kvm.h"};
    measured.instructions += instructions_per_exit;
  }
  return measured;
}

result<kvm_measurement> run_in_vm(int kvm) {
  unique_fd vm{::ioctl(kvm, KVM_CREATE_VM, 0)};
  if (!vm)
    return last_failure("KVM_CREATE_VM");
  mapping memory{memory_bytes, MAP_SHARED | MAP_ANONYMOUS, -1};
  if (!memory)
    return last_failure("map the guest's memory");
  if (auto loaded = load_guest(vm.get(), memory.get()); !loaded)
    return loaded.why();
  unique_fd vcpu{::ioctl(vm.get(), KVM_CREATE_VCPU, 0)};
  if (!vcpu)
    return last_failure("KVM_CREATE_VCPU");
  auto size = ::ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < static_cast<int>(sizeof(kvm_run)))
    return last_failure("KVM_GET_VCPU_MMAP_SIZE");
  mapping state{static_cast<std::size_t>(size), MAP_SHARED, vcpu.get()};
  if (!state)
    return last_failure("map the virtual CPU's state");
  if (auto pointed = point_at_code(vcpu.get()); !pointed)
    return pointed.why();
  return run_guest(vcpu.get(), static_cast<const kvm_run*>(state.get()));
}

} // namespace

result<kvm_measurement> measure_kvm(const std::string& device) {
  unique_fd kvm{::open(device.c_str(), O_RDWR | O_CLOEXEC)};
  if (!kvm)
    return last_failure("open " + device);
  // The number that every KVM since 2007 has; anything else is another device.
  if (::ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
    return failure{0, device + " is no KVM"};
  result<kvm_measurement> measured = failure{0, "not measured"};
  std::thread{[&] { measured = run_in_vm(kvm.get()); }}.join();
  return measured;
}

#else

result<kvm_measurement> measure_kvm(const std::string& device) {
  // The interpreter that is looked for is that of x86; elsewhere a VM that can be made does run.
  unique_fd kvm{::open(device.c_str(), O_RDWR | O_CLOEXEC)};
  if (!kvm)
    return last_failure("open " + device);
  unique_fd vm{::ioctl(kvm.get(), KVM_CREATE_VM, 0)};
  if (!vm)
    return last_failure("KVM_CREATE_VM");
  return kvm_measurement{std::uint64_t{1} << 32, std::chrono::seconds{1}};
}

#endif

} // namespace crosvisor::io
