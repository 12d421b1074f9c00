// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/keeper/keeper_launch.hpp"

#include "crosvisor/io/keeper/keeper_values.hpp"
#include "crosvisor/tests/io/leftovers.hpp"

#include <caf/test/dsl.hpp>

#include <nlohmann/json.hpp>

#include <fcntl.h>

#undef CAF_SUITE
#define CAF_SUITE io.keeper.launch

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;
using nlohmann::json;

namespace {

unique_fd some_fd() {
  return unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

vm_config whole_config() {
  vm_config config;
  config.name = "demo";
  config.kernel = {"vmlinux", 0};
  config.initrd = {"initrd \xff.img", 1};
  config.params = "quiet";
  disk_config disk;
  disk.partitions = {
    {"boot", {"boot.img", 2}, image_format::sparse, false, ""},
    {"data", {"data.img", 3}, image_format::raw, true, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"}};
  disk.writable = true;
  config.disks = {disk};
  config.memory_mib = 512;
  config.cpus = 2;
  config.vmm = vmm_kind::qemu;
  config.accel = accel_kind::tcg;
  config.console = {"console", 4};
  config.guest_protocol = true;
  config.started_timeout_s = 12;
  config.restart = restart_policy::on_failure;
  return config;
}

keeper_launch whole_launch() {
  keeper_launch made;
  made.request.cid = 4242;
  made.request.config = whole_config();
  made.request.choice = {vmm_kind::qemu, accel_kind::tcg, true};
  made.request.files = std::make_shared<descriptor_set>();
  for (auto i = 0; i < 5; ++i)
    made.request.files->add(some_fd());
  made.request.vsock = std::make_shared<const unique_fd>(some_fd().release());
  auto disks = std::make_shared<built_disks>();
  auto& disk = (*disks)[0];
  disk.descriptor = some_fd();
  disk.owned.push_back(some_fd());
  disk.components = {made.request.files->get(2), made.request.files->get(3), disk.owned[0].get()};
  disk.sparse = {made.request.files->get(2)};
  disk.size_bytes = 1u << 20;
  made.request.disks = disks;
  auto origin_files = std::make_shared<descriptor_set>();
  for (auto i = 0; i < 2; ++i)
    origin_files->add(some_fd());
  made.request.origin = std::make_shared<const vm_origin>(
    vm_origin{whole_config(), {vmm_kind::qemu, accel_kind::tcg, true}, origin_files});
  made.request.notes = {{"owner", "0"}, {"bytes", "\x80\xff"}};
  made.request.owner = {caller_kind::socket, 1000, 100, {7, 8}};
  made.request.config.devices.shared_directories = {{"home", {"/home", 0}, true}};
  made.how.share_program = "/usr/libexec/crosvisor-share";
  made.vmm = {vmm_kind::qemu, "/usr/bin/qemu", "7.2", {true, "works"}, {"tcg", "microvm"}};
  made.how.runtime_root = "/run/crosvisor/keepers/4242";
  made.how.state_dir = "/var/lib/crosvisor";
  made.how.logs = {4096, 2};
  made.how.kept_logs = 7;
  made.how.kept_output_bytes = 65536;
  made.how.vsock_program = "/usr/libexec/crosvisor-vsock";
  made.how.disk_server = {"/usr/bin/nbdkit", "/usr/lib/composite.so"};
  made.how.workers = 3;
  made.confinement.users = vmm_user_range{100'000, 5000};
  made.confinement.cgroup = "/sys/fs/cgroup/x";
  made.confinement.optional = true;
  made.programs = {"/usr/bin/qemu"};
  made.plugins = {"/usr/lib/composite.so"};
  made.boot_id = "b8a5";
  made.launched_ms = 1'700'000'000'123;
  made.socket_path = "/run/crosvisor/keepers/4242.socket";
  return made;
}

std::string problem_of_text(const std::string& launch, bool take_over = false) {
  auto decoded = decode_keeper_launch(launch, take_over);
  return decoded ? "none" : decoded.why().what;
}

std::string problem_of(const json& launch) {
  return problem_of_text(launch.dump());
}

std::string problem_of(const char* key, const json& value) {
  auto launch = json::parse(encode_keeper_launch(whole_launch()));
  launch[key] = value;
  return problem_of(launch);
}

} // namespace

CAF_TEST(what is written is read again) {
  auto launch = whole_launch();
  auto text = encode_keeper_launch(launch);
  auto read = decode_keeper_launch(text, false);
  CAF_REQUIRE(read);
  CAF_CHECK(!read->request.files && !read->request.disks && !read->request.vsock);
  CAF_CHECK_EQUAL(read->request.config.initrd.path, "initrd \xff.img");
  CAF_CHECK_EQUAL(read->request.config.disks.at(0).partitions.at(1).label, "data");
  CAF_CHECK(read->request.config.restart == restart_policy::on_failure);
  CAF_CHECK_EQUAL(read->request.notes.at("bytes"), "\x80\xff");
  CAF_CHECK_EQUAL(read->request.owner.uid, 1000u);
  CAF_CHECK(read->request.owner.groups == std::vector<std::uint32_t>({7, 8}));
  CAF_CHECK_EQUAL(read->request.config.devices.shared_directories.at(0).tag, "home");
  CAF_CHECK_EQUAL(read->how.share_program, "/usr/libexec/crosvisor-share");
  CAF_CHECK_EQUAL(read->confinement.users->first_uid, 100'000u);
  // All the rest, in one comparison.
  read->request.files = launch.request.files;
  read->request.disks = launch.request.disks;
  read->request.vsock = launch.request.vsock;
  CAF_REQUIRE(read->request.origin);
  CAF_CHECK(!read->request.origin->files);
  CAF_CHECK_EQUAL(read->request.origin->config.initrd.path, "initrd \xff.img");
  CAF_CHECK(read->request.origin->choice.accel == accel_kind::tcg);
  read->request.origin = launch.request.origin;
  CAF_CHECK_EQUAL(encode_keeper_launch(*read), text);
}

CAF_TEST(a keeper owns what it inherited and each number once) {
  holdings before;
  auto launch = whole_launch();
  auto all = descriptors_of(launch);
  CAF_CHECK_EQUAL(all.size(), 10u);
  CAF_CHECK(std::is_sorted(all.begin(), all.end()));
  auto text = encode_keeper_launch(launch);
  {
    auto twice = json::parse(text);
    twice["vsock"] = twice["files"][0];
    auto refused = decode_keeper_launch(twice.dump(), true);
    CAF_REQUIRE(!refused);
    CAF_CHECK(refused.why().what.ends_with("is named twice"));
    twice["vsock"] = twice["origin_files"][1];
    CAF_CHECK(problem_of_text(twice.dump(), true).ends_with("is named twice"));
    twice["vsock"] = 2;
    CAF_CHECK_EQUAL(problem_of_text(twice.dump(), true),
                    "the keeper's launch: descriptor 2 is a standard stream");
    twice["vsock"] = 9999;
    CAF_CHECK_EQUAL(problem_of_text(twice.dump(), true),
                    "the keeper's launch: descriptor 9999: Bad file descriptor");
  }
  for (auto&& fd : launch.request.files->release())
    fd.release();
  // As another process has them: this one's own are given up without being closed.
  auto keep = [](const unique_fd& fd) { const_cast<unique_fd&>(fd).release(); };
  keep(*launch.request.vsock);
  for (auto&& fd : std::const_pointer_cast<descriptor_set>(launch.request.origin->files)->release())
    fd.release();
  for (auto& [index, disk] : *launch.request.disks) {
    keep(disk.descriptor);
    for (auto& fd : disk.owned)
      keep(fd);
  }
  {
    auto taken = decode_keeper_launch(text, true);
    CAF_REQUIRE(taken);
    CAF_CHECK_EQUAL(encode_keeper_launch(*taken), text);
  }
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(texts of another version are read as far as they are known) {
  auto launch = json::parse(encode_keeper_launch(whole_launch()));
  auto& config = launch["config"];
  config.erase(config.size() - 1); // The devices.
  config.erase(config.size() - 1); // The restart policy.
  launch["vmm"].push_back("something new");
  launch["novelty"] = 1;
  launch.erase("workers");
  launch.erase("origin");
  launch.erase("origin_files");
  auto read = decode_keeper_launch(launch.dump(), false);
  CAF_REQUIRE(read);
  CAF_CHECK(read->request.config.restart == restart_policy::never);
  CAF_CHECK(read->request.config.devices.shared_directories.empty());
  CAF_CHECK(read->request.config.devices.rng);
  CAF_CHECK_EQUAL(read->request.config.started_timeout_s, 12u);
  CAF_CHECK_EQUAL(read->how.workers, 8u);
  CAF_CHECK(!read->request.origin);
}

CAF_TEST(what can not be meant is refused by name) {
  CAF_CHECK_EQUAL(problem_of(json::array()), "the keeper's launch: it is no JSON object");
  CAF_CHECK_EQUAL(problem_of_text("{\"version\":1,"), "the keeper's launch: it is no JSON object");
  CAF_CHECK_EQUAL(problem_of(json::object()), "the keeper's launch: it has no version");
  CAF_CHECK_EQUAL(problem_of("version", 2),
                  "the keeper's launch: version 2 is not known here; allowed are 1 to 1");
  CAF_CHECK_EQUAL(problem_of("cid", 2), "the keeper's launch: cid 2 can't be a VM's");
  CAF_CHECK_EQUAL(problem_of("cid", -1),
                  "the keeper's launch: cid is no whole number in its range");
  CAF_CHECK_EQUAL(problem_of("config", json::array({"demo", json::array({1})})),
                  "the keeper's launch: config[1][0] is no string");
  CAF_CHECK_EQUAL(problem_of("choice", json::array({0, 2})),
                  "the keeper's launch: choice: no VMM is chosen");
  CAF_CHECK_EQUAL(problem_of("choice", json::array({300})),
                  "the keeper's launch: choice[0] is no whole number in its range");
  CAF_CHECK_EQUAL(problem_of("notes", 1), "the keeper's launch: notes is no object");
  CAF_CHECK(problem_of("config", json::array({"demo"})).starts_with("the keeper's launch: config"));
}

CAF_TEST(values of packets are read back or refused) {
  vmm_exit exit{exit_kind::signal, 9, death_reason::killed, "why"};
  auto read = exit_from_json(to_json(exit));
  CAF_REQUIRE(read);
  CAF_CHECK_EQUAL(to_string(*read), "signal 9");
  CAF_CHECK_EQUAL(read->detail, "why");
  CAF_CHECK(!exit_from_json(json{{"reason", 200}}));
  CAF_CHECK(!exit_from_json(json{{"kind", 4}}));
  CAF_CHECK(!exit_from_json(json::array()));
  auto status = status_from_json(
    to_json(payload_status{payload_status_kind::finished, 7, payload_error::unknown, "m"}));
  CAF_REQUIRE(status);
  CAF_CHECK_EQUAL(status->exit_code, 7);
  CAF_CHECK(!status_from_json(json{{"kind", 9}}));
  CAF_CHECK(!status_from_json(json{{"message", std::string(2000, 'x')}}));
  CAF_CHECK(!notes_from_json(json{{"a", 1}}));
  CAF_CHECK(notes_from_json(to_json(vm_notes{{"a", "b"}})) == (vm_notes{{"a", "b"}}));
}
