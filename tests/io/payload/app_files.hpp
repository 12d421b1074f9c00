// SPDX-License-Identifier: Apache-2.0
// An app, an operating system and its APEXes, as small as they can be.
#pragma once

#include "crosvisor/io/apk/update_idsig.hpp"
#include "crosvisor/io/payload/expand_app.hpp"
#include "crosvisor/io/payload/metadata.hpp"
#include "crosvisor/tests/io/apk/zip_file.hpp"
#include "crosvisor/tests/io/temp_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace crosvisor::tests {

struct app_files {
  temp_dir dir;
  vm_config config;
  io::descriptor_set files;
  io::job_control control;

  app_files() {
    ::mkdir((dir / "os").c_str(), 0755);
    define(R"({"kernel": "vmlinux", "initrd": "normal.img", "params": "quiet",
      "memory_mib": 512, "guest_protocol": true,
      "disks": [{"image": "system.img", "writable": false}],
      "debug": {"initrd": "debug.img", "params": "debug", "bootconfig": "bootconfig.debug"},
      "apexes": {"list": "apex/list.json", "always": ["com.android.i18n"],
        "debug": ["com.android.adbd"]}})");
    for (std::string name :
         {"vmlinux", "normal.img", "debug.img", "bootconfig.debug", "system.img"})
      dir.write("os/" + name, "the " + name);
    ::mkdir((dir / "os/apex").c_str(), 0755);
    dir.write("os/apex/list.json", R"({"com.android.i18n": {"path": "i18n.apex", "version": 3,
      "last_update": 77, "factory": true}, "com.android.adbd": "adbd.apex",
      "com.android.art": "art.apex"})");
    for (std::string name : {"i18n", "adbd", "art"})
      dir.write("os/apex/" + name + ".apex", "the " + name);
    config.name = "demo";
    config.app.config_path = "assets/vm_config.json";
    config.app.instance = file("instance.img", std::string(4096, 'i'), O_RDWR);
    config.memory_mib = 0;
    apk(R"({"task": {"type": "microdroid_launcher", "command": "payload.so"}})");
  }

  void define(const std::string& text) { dir.write("os/microdroid.json", text); }

  io::unique_fd open(const std::string& name, int flags) const {
    io::unique_fd fd{::open((dir / name).c_str(), flags | O_CLOEXEC)};
    if (!fd)
      throw std::runtime_error("a test's file can't be opened");
    return fd;
  }

  file_ref file(const std::string& name, const std::string& content, int flags = O_RDONLY) {
    dir.write(name, content);
    return {name, files.add(open(name, flags))};
  }

  /// A digest that fits the file.
  file_ref digest(const std::string& name, const file_ref& of) {
    file(name, "");
    auto fd = open(name, O_RDWR);
    io::job_control calm;
    if (auto made = io::update_idsig(files.get(of.index), fd.get(), {true}, calm); !made)
      throw std::runtime_error(made.why().what);
    return {name, files.add(open(name, O_RDONLY))};
  }

  /// Makes the app's APK and its digest.
  void apk(const std::vector<zip_member>& members) {
    write_zip(dir / "demo.apk", members);
    config.app.apk = {"demo.apk", files.add(open("demo.apk", O_RDONLY))};
    config.app.idsig = digest("demo.apk.idsig", config.app.apk);
  }

  void apk(const std::string& payload_config) {
    apk({{"assets/vm_config.json", payload_config, false, false},
         {"lib/x86_64/payload.so", std::string(9000, 'x'), true, false}});
  }

  io::result<vm_config> expand() { return io::expand_app(config, files, dir / "os", control); }

  /// What is wrong, or "".
  std::string problem() {
    auto expanded = expand();
    return expanded ? "" : expanded.why().what;
  }

  std::string content(const file_ref& of) const {
    std::string bytes(1 << 16, '\0');
    auto n = ::pread(files.get(of.index), bytes.data(), bytes.size(), 0);
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }

  /// `label` of each partition, with `!` where it is writable, separated by blanks.
  static std::string labels(const disk_config& disk) {
    std::string text;
    for (const auto& partition : disk.partitions)
      text += (text.empty() ? "" : " ") + partition.label + (partition.writable ? "!" : "");
    return text;
  }
};

} // namespace crosvisor::tests
