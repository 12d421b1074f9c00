// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/disk/composite_files.hpp"

#include "crosvisor/tests/io/disk/whole_disk.hpp"
#include "crosvisor/tests/io/leftovers.hpp"
#include "crosvisor/tests/judge.hpp"

#include <caf/test/dsl.hpp>

#include <sys/stat.h>

#undef CAF_SUITE
#define CAF_SUITE io.disk.composite_files

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

const std::string guid_text = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B";

struct fixture {
  temp_dir dir;
  job_control control;
  std::vector<composite_part> parts;

  fixture() {
    std::filesystem::create_directory(dir / "images");
    std::filesystem::create_directory_symlink(dir / "images", dir / "link");
    parts.push_back({"boot", dir.write("images/boot.img", std::string(100, 'b')), image_format::raw,
                     false, guid_text});
    parts.push_back({"data", dir / "link/data.img", image_format::raw, true, ""});
    dir.write("images/data.img", std::string(8192, 'd'));
  }

  // "" when the files were made. Nothing stays open, and after a failure nothing is there.
  std::string problem(const std::string& out = "out.img") {
    holdings before;
    auto names = names_in(dir.path());
    auto size = create_composite_files(dir / out, parts, control);
    CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
    if (!size)
      CAF_CHECK_EQUAL(names_in(dir.path()), names);
    return size ? "" : size.why().what;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(composite_files_tests, fixture)

CAF_TEST(four files make a disk that others read) {
  auto size = create_composite_files(dir / "out.img", parts, control);
  CAF_REQUIRE(static_cast<bool>(size));
  CAF_CHECK_EQUAL(*size, 2u * 20480 + 4096 + 8192);
  CAF_CHECK_EQUAL(names_in(dir.path()),
                  "images link out.img out.img.filler out.img.footer out.img.header");
  auto file = parse_composite_file(read_file(dir / "out.img"));
  CAF_REQUIRE(static_cast<bool>(file));
  CAF_CHECK_EQUAL(file->version, 1u);
  std::string paths;
  for (const auto& component : file->components)
    paths += component.path.substr(dir.path().size()) + (component.writable ? "* " : " ");
  // Folders have no symlinks left in them.
  CAF_CHECK_EQUAL(paths, "/out.img.header /images/boot.img /out.img.filler /images/data.img* "
                         "/out.img.footer ");
  auto whole = dir.write("whole.img", assemble(*file, read_file));
  auto sgdisk = ask("sgdisk -v -i 1 " + whole);
  CAF_CHECK_EQUAL(sgdisk.exit_code, 0);
  CAF_CHECK(sgdisk.out.find("No problems found") != std::string::npos);
  CAF_CHECK(sgdisk.out.find("Partition unique GUID: " + guid_text) != std::string::npos);
}

CAF_TEST(the same partitions as those of crosvm make the same files) {
  parts.clear();
  for (auto label : {"boot", "super", "instance"})
    parts.push_back({label,
                     dir.write("images/" + std::string{label},
                               golden("composite/" + std::string{label} + ".img")),
                     image_format::raw, label == std::string{"instance"}, ""});
  CAF_CHECK_EQUAL(problem("disk.img"), "");
  CAF_CHECK(read_file(dir / "disk.img.filler") == golden("composite/disk.img.filler"));
  auto ours = parse_composite_file(read_file(dir / "disk.img"));
  auto theirs = parse_composite_file(golden("composite/disk.img"));
  CAF_REQUIRE(ours && theirs);
  CAF_CHECK_EQUAL(ours->size_bytes, theirs->size_bytes);
  CAF_REQUIRE_EQUAL(ours->components.size(), theirs->components.size());
  for (std::size_t i = 0; i < ours->components.size(); ++i) {
    CAF_CHECK_EQUAL(ours->components[i].offset, theirs->components[i].offset);
    CAF_CHECK_EQUAL(ours->components[i].writable, theirs->components[i].writable);
  }
}

CAF_TEST(nothing is overwritten) {
  for (auto name : {"out.img", "out.img.header", "out.img.footer", "out.img.filler"}) {
    dir.write(name, "mine");
    CAF_CHECK_EQUAL(problem(), '"' + std::string{name}
                                 + "\": is there; nothing is ever "
                                   "overwritten");
    CAF_CHECK_EQUAL(read_file(dir / name), "mine");
    std::filesystem::remove(dir / name);
  }
  std::filesystem::create_symlink(dir / "nowhere", dir / "out.img");
  CAF_CHECK_EQUAL(problem(), "\"out.img\": is there; nothing is ever overwritten");
}

CAF_TEST(partitions that do not fit are refused by name) {
  auto boot = "partition \"boot\", \"" + parts[0].path + "\"";
  parts[0].writable = true;
  CAF_CHECK_EQUAL(problem(), boot
                               + ": has 100 bytes; a writable partition's size is a multiple of "
                                 "4096");
  parts[0].writable = false;
  parts[0].guid = "none";
  CAF_CHECK_EQUAL(problem(), boot + ": its GUID is none, such as " + guid_text);
  parts[0].guid = "";
  parts[1].path = dir / "images/boot.img";
  CAF_CHECK_EQUAL(problem(), "partition \"data\", \"" + parts[0].path + "\": is the same file as "
                               + boot + ", and one of them is writable");
  parts.clear();
  CAF_CHECK_EQUAL(problem(), "the disk has no partitions; it needs one");
  parts.resize(129);
  CAF_CHECK_EQUAL(problem(), "129 partitions; at most 128 are allowed");
}

CAF_TEST(files that are not there are named) {
  parts[0].path = dir / "images/missing";
  CAF_CHECK_EQUAL(problem(),
                  "partition \"boot\", \"" + parts[0].path + "\": No such file or directory");
  parts[0].path = dir / "gone/boot.img";
  CAF_CHECK_EQUAL(problem(), "partition \"boot\", \"" + parts[0].path
                               + "\": its folder: No such file or directory");
  CAF_REQUIRE_EQUAL(::mkfifo((dir / "images/fifo").c_str(), 0600), 0);
  parts[0].path = dir / "images/fifo";
  CAF_CHECK_EQUAL(problem(), "partition \"boot\", \"" + parts[0].path
                               + "\": is neither a file nor a block device");
}

CAF_TEST(a place that can not be written is told) {
  CAF_CHECK_EQUAL(problem("gone/out.img"),
                  '"' + dir / "gone/out.img" + "\": its folder: No such file or directory");
  CAF_CHECK_EQUAL(problem("images/"), '"' + dir / "images/" + "\": is no name of a file");
  CAF_CHECK_EQUAL(problem("a\xff"), '"'
                                      + dir
                                          / "a\\xff\": a path in a composite disk is UTF-8, and "
                                            "this is not");
  CAF_CHECK_EQUAL(problem(std::string(250, 'n')).substr(0, 4), "\"nnn");
}

CAF_TEST(a cancelled job makes nothing) {
  control.cancel();
  CAF_CHECK_EQUAL(problem(), "the job was cancelled");
}

CAF_TEST(a part is read as command lines have it) {
  auto check = [](const std::string& text, const std::string& path, bool writable,
                  const std::string& guid) {
    auto part = parse_composite_part(text);
    if (!part)
      CAF_FAIL(part.why().what);
    CAF_CHECK_EQUAL(part->label, "boot");
    CAF_CHECK_EQUAL(part->path, path);
    CAF_CHECK_EQUAL(part->writable, writable);
    CAF_CHECK_EQUAL(part->guid, guid);
    CAF_CHECK(part->format == image_format::raw);
  };
  check("boot:b.img", "b.img", false, "");
  check("boot:b.img:writable", "b.img", true, "");
  check("boot:b.img:writable:" + guid_text, "b.img", true, guid_text);
  check("boot:b.img:" + guid_text, "b.img", false, guid_text);
  check("boot:/dev/disk/by-path/pci-0000:00:1f.2", "/dev/disk/by-path/pci-0000:00:1f.2", false, "");
  check("boot:a:b:writable", "a:b", true, "");
  check("boot:b:writable:writable", "b:writable", true, "");
  check("boot:writable", "writable", false, "");
  check("boot:" + guid_text, guid_text, false, "");
  check("boot:b:Writable", "b:Writable", false, "");
}

CAF_TEST(what is no part is refused with the form) {
  auto problem_of = [](const std::string& text) {
    auto part = parse_composite_part(text);
    return part ? "" : part.why().what;
  };
  const std::string form = "; a partition is LABEL:FILE[:writable][:GUID]";
  CAF_CHECK_EQUAL(problem_of("boot"), "\"boot\": has no colon" + form);
  CAF_CHECK_EQUAL(problem_of("boot:"), "\"boot:\": has no file" + form);
  CAF_CHECK_EQUAL(problem_of(":b.img"), "\":b.img\": its label is missing; a partition needs a "
                                        "label"
                                          + form);
  CAF_CHECK_EQUAL(problem_of(std::string(37, 'x') + ":b").substr(38),
                  ":b\": its label is 37 UTF-16 units long; at most 36 are allowed" + form);
  CAF_CHECK_EQUAL(problem_of("boot::writable"), "");
}

CAF_TEST_FIXTURE_SCOPE_END()
