// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/expand_app.hpp"

#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/io/payload/app_files.hpp"

#include <caf/test/dsl.hpp>

#include <unistd.h>

#undef CAF_SUITE
#define CAF_SUITE io.payload.expand_app

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

struct fixture : app_files {
  vm_config expanded() {
    auto result = expand();
    if (!result)
      CAF_FAIL(result.why().what);
    return *result;
  }

  payload_metadata metadata_of(const vm_config& vm) {
    auto read = parse_payload_metadata(content(vm.disks.back().partitions[0].image));
    if (!read)
      CAF_FAIL(read.why().what);
    return *read;
  }

  std::string os_file() { return dir / "os/microdroid.json"; }

  void extra_apk_given(const std::string& name) {
    auto apk = file(name, "an APK of any kind");
    config.app.extra_apks.push_back({apk, digest(name + ".idsig", apk)});
  }

  // The same as problem(), for what is the input's fault.
  std::string refused() {
    auto result = expand();
    if (result)
      return "";
    CAF_CHECK_EQUAL(result.why().code, 0);
    return result.why().what;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(expand_app_tests, fixture)

CAF_TEST(an app becomes the VM of its operating system) {
  auto vm = expanded();
  CAF_CHECK(!vm.app);
  CAF_CHECK(!find_problem(vm));
  CAF_CHECK_EQUAL(vm.name, "demo");
  CAF_CHECK_EQUAL(vm.kernel.path, dir / "os/vmlinux");
  CAF_CHECK_EQUAL(content(vm.kernel), "the vmlinux");
  CAF_CHECK_EQUAL(content(vm.initrd), "the normal.img");
  CAF_CHECK_EQUAL(vm.params, "quiet");
  CAF_CHECK_EQUAL(vm.memory_mib, 512u);
  CAF_CHECK(vm.guest_protocol);
  CAF_REQUIRE_EQUAL(vm.disks.size(), std::size_t{3});
  CAF_CHECK_EQUAL(content(vm.disks[0].image), "the system.img");
  CAF_CHECK(!vm.disks[0].writable);
  CAF_CHECK_EQUAL(labels(vm.disks[1]), "vm-instance!");
  CAF_CHECK(vm.disks[1].writable);
  CAF_CHECK_EQUAL(labels(vm.disks[2]),
                  "payload-metadata microdroid-apex-0 microdroid-apk microdroid-apk-idsig");
  CAF_CHECK(!vm.disks[2].writable);
}

CAF_TEST(partitions are the descriptors that were given) {
  auto vm = expanded();
  CAF_CHECK_EQUAL(vm.disks[1].partitions[0].image.index, config.app.instance.index);
  CAF_CHECK_EQUAL(vm.disks[2].partitions[2].image.index, config.app.apk.index);
  CAF_CHECK_EQUAL(vm.disks[2].partitions[3].image.index, config.app.idsig.index);
  CAF_CHECK_EQUAL(content(vm.disks[2].partitions[1].image), "the i18n");
  CAF_CHECK_EQUAL(vm.disks[2].partitions[1].image.path, dir / "os/apex/i18n.apex");
}

CAF_TEST(the metadata names the APEXes and the configuration) {
  auto vm = expanded();
  auto metadata = metadata_of(vm);
  CAF_CHECK_EQUAL(metadata.config_path, "/mnt/apk/assets/vm_config.json");
  CAF_REQUIRE_EQUAL(metadata.apexes.size(), std::size_t{1});
  CAF_CHECK_EQUAL(metadata.apexes[0].name, "com.android.i18n");
  CAF_CHECK_EQUAL(metadata.apexes[0].partition, "microdroid-apex-0");
  CAF_CHECK_EQUAL(metadata.apexes[0].last_update_seconds, 77u);
  CAF_CHECK(metadata.apexes[0].factory);
}

CAF_TEST(nobody can write the metadata and the operating system) {
  auto vm = expanded();
  for (const auto& image : {vm.disks[2].partitions[0].image, vm.kernel, vm.initrd,
                            vm.disks[0].image, vm.disks[2].partitions[1].image}) {
    auto flags = ::fcntl(files.get(image.index), F_GETFL);
    CAF_CHECK_EQUAL(flags & O_ACCMODE, O_RDONLY);
    CAF_CHECK(image.path == metadata_label || (flags & O_NONBLOCK) == 0);
  }
  auto metadata = files.get(vm.disks[2].partitions[0].image.index);
  auto path = "/proc/self/fd/" + std::to_string(metadata);
  unique_fd writer{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
  CAF_CHECK(::write(writer.get(), "x", 1) < 0);
  CAF_CHECK(::ftruncate(writer.get(), 0) < 0);
}

CAF_TEST(debug level full changes initrd and params and adds a bootconfig and APEXes) {
  config.app.debug = debug_level::full;
  config.params = "mine";
  auto vm = expanded();
  CAF_CHECK_EQUAL(content(vm.initrd), "the debug.img");
  CAF_CHECK_EQUAL(vm.params, "quiet debug mine");
  CAF_CHECK_EQUAL(labels(vm.disks[1]), "bootconfig vm-instance!");
  CAF_CHECK_EQUAL(content(vm.disks[1].partitions[0].image), "the bootconfig.debug");
  auto metadata = metadata_of(vm);
  CAF_REQUIRE_EQUAL(metadata.apexes.size(), std::size_t{2});
  CAF_CHECK_EQUAL(metadata.apexes[0].name, "com.android.adbd");
  CAF_CHECK_EQUAL(metadata.apexes[1].name, "com.android.i18n");
}

CAF_TEST(APEXes that are asked for twice are there once) {
  apk(R"({"apexes": [{"name": "com.android.art"}, {"name": "com.android.i18n"},
    {"name": "com.android.art"}]})");
  auto metadata = metadata_of(expanded());
  CAF_REQUIRE_EQUAL(metadata.apexes.size(), std::size_t{2});
  CAF_CHECK_EQUAL(metadata.apexes[0].name, "com.android.art");
  CAF_CHECK_EQUAL(metadata.apexes[1].name, "com.android.i18n");
}

CAF_TEST(what the client asks of its VM counts) {
  config.params = "mine";
  config.memory_mib = 64;
  config.cpus = 3;
  config.protected_vm = true;
  config.vmm = vmm_kind::qemu;
  config.accel = accel_kind::tcg;
  config.guest_protocol = true;
  config.started_timeout_s = 9;
  config.console = file("console", "", O_WRONLY);
  auto vm = expanded();
  CAF_CHECK_EQUAL(vm.params, "quiet mine");
  CAF_CHECK_EQUAL(vm.memory_mib, 64u);
  CAF_CHECK_EQUAL(vm.cpus, 3u);
  CAF_CHECK(vm.protected_vm);
  CAF_CHECK(vm.vmm == vmm_kind::qemu && vm.accel == accel_kind::tcg);
  CAF_CHECK_EQUAL(vm.started_timeout_s, 9u);
  CAF_CHECK_EQUAL(vm.console.index, config.console.index);
}

CAF_TEST(encrypted storage and extra APKs have partitions of their own) {
  config.app.encrypted_storage = file("store.img", std::string(4096, 's'), O_RDWR);
  extra_apk_given("a.apk");
  extra_apk_given("b.apk");
  apk(R"({"extra_apks": [{"path": "a"}, {"path": "b"}]})");
  auto vm = expanded();
  CAF_CHECK_EQUAL(labels(vm.disks[1]), "vm-instance! encryptedstore!");
  CAF_CHECK_EQUAL(labels(vm.disks[2]),
                  "payload-metadata microdroid-apex-0 microdroid-apk microdroid-apk-idsig "
                  "extra-apk-0 extra-idsig-0 extra-apk-1 extra-idsig-1");
  CAF_CHECK_EQUAL(vm.disks[2].partitions[6].image.path, "b.apk");
}

CAF_TEST(a payload binary needs no configuration) {
  config.app.config_path.clear();
  config.app.payload_binary = "payload.so";
  extra_apk_given("a.apk");
  auto metadata = metadata_of(expanded());
  CAF_CHECK_EQUAL(metadata.config_path, "");
  CAF_CHECK_EQUAL(metadata.payload_binary, "payload.so");
  CAF_CHECK_EQUAL(metadata.extra_apk_count, 1u);
  config.app.payload_binary = "other.so";
  CAF_CHECK_EQUAL(refused(), "app.apk \"demo.apk\": has no lib/<abi>/other.so, the "
                             "app.payload_binary");
}

CAF_TEST(the instance disk is found by its role) {
  define(R"({"bootloader": "vmlinux", "disks": [
    {"writable": true, "role": "instance", "partitions": [{"label": "uboot_env", "path":
      "normal.img"}]},
    {"writable": false, "partitions": [{"label": "boot_a", "path": "system.img"},
      {"label": "super", "path": "debug.img"}]}],
    "debug": {"bootconfig": "bootconfig.debug"}})");
  config.app.debug = debug_level::full;
  auto vm = expanded();
  CAF_REQUIRE_EQUAL(vm.disks.size(), std::size_t{3});
  CAF_CHECK_EQUAL(labels(vm.disks[0]), "uboot_env bootconfig vm-instance!");
  CAF_CHECK_EQUAL(labels(vm.disks[1]), "boot_a super");
  CAF_CHECK_EQUAL(labels(vm.disks[2]), "payload-metadata microdroid-apk microdroid-apk-idsig");
  CAF_CHECK_EQUAL(content(vm.disks[1].partitions[1].image), "the debug.img");
}

CAF_TEST(a label that the operating system took is refused) {
  define(R"({"kernel": "vmlinux", "disks": [{"writable": true, "role": "instance",
    "partitions": [{"label": "vm-instance", "path": "normal.img"}]}]})");
  CAF_CHECK_EQUAL(refused(), "app, run by " + os_file()
                               + ": disks[0].partitions[1].label: \"vm-instance\" is "
                                 "partitions[0]'s, too");
}

CAF_TEST(the APK is read whatever its offset and that stays) {
  auto fd = files.get(config.app.apk.index);
  CAF_CHECK_EQUAL(::lseek(fd, 777, SEEK_SET), off_t{777});
  expanded();
  CAF_CHECK_EQUAL(::lseek(fd, 0, SEEK_CUR), off_t{777});
}

CAF_TEST(problems in the APK name the APK and the entry) {
  apk("{\n  \"task\": 1}");
  CAF_CHECK_EQUAL(refused(), "app.apk \"demo.apk\": assets/vm_config.json:2:11: task: expected an "
                             "object, got 1");
  apk(std::string(2 << 20, ' '));
  CAF_CHECK_EQUAL(refused(), "app.apk \"demo.apk\": assets/vm_config.json: 2097152 bytes; at most "
                             "1048576 are allowed");
  config.app.config_path = "assets/vm_confg.json";
  CAF_CHECK_EQUAL(refused(), "app.apk \"demo.apk\": assets/vm_confg.json: no such entry; did you "
                             "mean \"assets/vm_config.json\"?");
  config.app.config_path = "../vm_config.json";
  CAF_CHECK_EQUAL(refused(), "app.config_path: is no path inside an APK, such as "
                             "assets/vm_config.json");
  config.app.config_path = "\xff.json";
  CAF_CHECK_EQUAL(refused(), "app.apk \"demo.apk\": app.config_path \"\\xff.json\": is not "
                             "printable UTF-8 text");
}

CAF_TEST(an APK that is cut short is refused) {
  auto bytes = read_file(dir / "demo.apk");
  config.app.apk = file("cut.apk", bytes.substr(0, bytes.size() - 30));
  config.app.idsig = digest("cut.apk.idsig", config.app.apk);
  CAF_CHECK_EQUAL(refused(), "app.apk \"cut.apk\": has no ZIP directory at its end: it is cut "
                             "short, or no APK");
}

CAF_TEST(the operating system of a configuration is the one that runs it) {
  apk(R"({"os": {"name": "microdroid"}})");
  CAF_CHECK_EQUAL(refused(), "");
  apk(R"({"os": {"name": ""}})");
  CAF_CHECK_EQUAL(refused(), "");
  apk(R"({"os": {"name": "debian"}})");
  CAF_CHECK_EQUAL(refused(), "app.apk \"demo.apk\": assets/vm_config.json: os.name: \"debian\"; "
                             "this app is to run in \"microdroid\"");
  dir.write("os/debian.json", read_file(os_file()));
  config.app.os = "debian";
  CAF_CHECK_EQUAL(refused(), "");
  config.app.os = "fedora";
  apk("{}");
  CAF_CHECK_EQUAL(refused(), "app.os: unknown operating system \"fedora\"; this host offers "
                             "debian, microdroid");
  config.app.os = "../os/microdroid";
  CAF_CHECK_EQUAL(refused(), "app.os: is no name of an operating system");
}

CAF_TEST(extra APKs are as many as the configuration names) {
  apk(R"({"extra_apks": [{"path": "a"}, {"path": "b"}]})");
  extra_apk_given("a.apk");
  CAF_CHECK_EQUAL(refused(), "app.apk \"demo.apk\": assets/vm_config.json: extra_apks: names 2; "
                             "app.extra_apks gives 1");
}

CAF_TEST(a digest of another file is refused) {
  auto good = config.app.idsig;
  auto other = file("other.apk", std::string(1'000'000, 'x'));
  config.app.idsig = digest("other.apk.idsig", other);
  CAF_CHECK_EQUAL(refused(), "app.idsig \"other.apk.idsig\": is of another file: its tree has "
                             "12288 bytes, that of app.apk \"demo.apk\" has 4096");
  config.app.idsig = file("text", "no idsig");
  CAF_CHECK(refused().starts_with("app.idsig \"text\": "));
  config.app.idsig = good;
  extra_apk_given("a.apk");
  config.app.extra_apks[0].idsig = good;
  apk(R"({"extra_apks": [{"path": "a"}]})");
  CAF_CHECK(refused().starts_with("app.extra_apks[0].idsig \"demo.apk.idsig\": is of another"));
}

CAF_TEST(files that are missing or none are named) {
  auto instance = config.app.instance;
  config.app.instance = {"gone.img", 999};
  CAF_CHECK_EQUAL(refused(), "app.instance \"gone.img\": came without a descriptor");
  config.app.instance = file("empty.img", "", O_RDWR);
  CAF_CHECK_EQUAL(refused(), "app.instance \"empty.img\": is empty");
  config.app.instance = instance;
  config.app.apk = {"null", files.add(unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)})};
  CAF_CHECK_EQUAL(refused(), "app.apk \"null\": is not a regular file");
}

CAF_TEST(files of the operating system that are missing are named with their key) {
  ::unlink((dir / "os/normal.img").c_str());
  CAF_CHECK_EQUAL(refused(), os_file() + ": initrd \"normal.img\": no such file");
  dir.write("os/normal.img", "x", 0666);
  CAF_CHECK_EQUAL(refused(), os_file()
                               + ": initrd \"normal.img\": can be written by everybody; chmod it "
                                 "to o-w");
  dir.write("os/normal.img", "x", 0644);
  ::unlink((dir / "os/system.img").c_str());
  ::mkfifo((dir / "os/system.img").c_str(), 0600);
  CAF_CHECK_EQUAL(refused(), os_file() + ": disks[0].image \"system.img\": is not a regular file");
  ::unlink((dir / "os/system.img").c_str());
  dir.write("os/system.img", "x");
  config.app.debug = debug_level::full;
  ::unlink((dir / "os/bootconfig.debug").c_str());
  CAF_CHECK_EQUAL(refused(), os_file() + ": debug.bootconfig \"bootconfig.debug\": no such file");
  ::unlink((dir / "os/debug.img").c_str());
  CAF_CHECK_EQUAL(refused(), os_file() + ": debug.initrd \"debug.img\": no such file");
}

CAF_TEST(APEXes that are missing are named with who asks for them) {
  auto list = dir / "os/apex/list.json";
  apk(R"({"apexes": [{"name": "com.android.art"}, {"name": "com.android.ar"}]})");
  CAF_CHECK_EQUAL(refused(), "app.apk \"demo.apk\": assets/vm_config.json: apexes[1].name "
                             "\"com.android.ar\": no such APEX in "
                               + list + "; did you mean \"com.android.art\"?");
  apk("{}");
  ::unlink((dir / "os/apex/i18n.apex").c_str());
  CAF_CHECK_EQUAL(refused(), list + ": \"com.android.i18n\" \"i18n.apex\": no such file");
  dir.write("os/apex/list.json", "{}");
  CAF_CHECK_EQUAL(refused(),
                  os_file() + ": apexes.always \"com.android.i18n\": no such APEX in " + list);
  dir.write("os/apex/list.json", "[");
  CAF_CHECK(refused().starts_with(list + ":1:2: malformed JSON"));
  ::unlink(list.c_str());
  CAF_CHECK_EQUAL(refused(), os_file() + ": apexes.list \"apex/list.json\": no such file");
}

CAF_TEST(an operating system without APEXes runs apps that want none) {
  define(R"({"kernel": "vmlinux"})");
  auto vm = expanded();
  CAF_CHECK_EQUAL(vm.disks.size(), std::size_t{2});
  CAF_CHECK_EQUAL(vm.memory_mib, 256u);
  apk(R"({"apexes": [{"name": "com.android.art"}]})");
  CAF_CHECK_EQUAL(refused(), "app.apk \"demo.apk\": assets/vm_config.json: apexes[0].name "
                             "\"com.android.art\": "
                               + os_file() + " names no list of APEXes (apexes.list)");
}

CAF_TEST(a list of Android is read from its XML) {
  define(R"({"kernel": "vmlinux", "apexes": {"list": "apex/l.xml"}})");
  dir.write("os/apex/l.xml", R"(<apex-info-list><apex-info moduleName="a" modulePath=")"
                               + dir / "os/apex/art.apex"
                               + R"(" isActive="true"/></apex-info-list>)");
  apk(R"({"apexes": [{"name": "a"}]})");
  auto vm = expanded();
  CAF_CHECK_EQUAL(content(vm.disks[1].partitions[1].image), "the art");
}

CAF_TEST(what is together too much is refused) {
  config.params = std::string(max_params_bytes, 'x');
  CAF_CHECK_EQUAL(refused(),
                  "app, run by " + os_file() + ": params: 1798 bytes; at most 1792 are allowed");
}

CAF_TEST(an operating system that says nothing can not be waited for) {
  define(R"({"kernel": "vmlinux"})");
  config.guest_protocol = true;
  config.started_timeout_s = 5;
  CAF_CHECK(refused().starts_with("app, run by " + os_file() + ": started_timeout_s: goes with"));
}

CAF_TEST(a job that was cancelled stops) {
  control.cancel();
  auto result = expand();
  CAF_REQUIRE(!result);
  CAF_CHECK_EQUAL(result.why().code, ECANCELED);
}

CAF_TEST(a host without descriptors is the one at fault) {
  for (rlim_t more = 1; more < 7; ++more) {
    descriptor_limit few{more};
    auto result = expand();
    CAF_REQUIRE(!result);
    CAF_CHECK_EQUAL(result.why().code, EMFILE);
  }
}

CAF_TEST(nothing is open but what the set holds) {
  auto before = open_descriptors().size() - files.size();
  expanded();
  CAF_CHECK_EQUAL(open_descriptors().size() - files.size(), before);
  dir.write("os/apex/list.json", "{}");
  CAF_CHECK(!expand());
  CAF_CHECK_EQUAL(open_descriptors().size() - files.size(), before);
  files.clear();
  CAF_CHECK(!expand());
  CAF_CHECK_EQUAL(open_descriptors().size(), before);
}

CAF_TEST_FIXTURE_SCOPE_END()
