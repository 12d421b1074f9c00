// SPDX-License-Identifier: Apache-2.0
// Stored images through the door: brought, fetched, and named by requests.
#include "crosvisor/io/file_bytes.hpp"
#include "crosvisor/tests/service/door/fixture.hpp"
#include "crosvisor/tests/service/door/inline_store.hpp"

#include <sys/file.h>

#undef CAF_SUITE
#define CAF_SUITE service.door.images

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

struct fixture : door_fixture {
  temp_dir state;
  io::image_bounds bounds;
  client alice;
  client remote;

  fixture() {
    bounds.per_user = 3;
    options.images = inline_store(state, bounds);
    options.others = [this](const caller* of) { return options.images->limits(of); };
    open();
    alice = connect(user(1000));
    remote = connect(subject("CN=remote"));
    grant(alice.who, {permission::manage, permission::custom});
    grant(remote.who, {permission::manage, permission::custom});
  }

  auto begin(const client& by, const std::string& name, const std::string& bytes) {
    return request<upload_place>(by, create_atom::value,
                                 image_upload{name, bytes.size(), sum_of(bytes)});
  }

  auto put(const client& by, std::uint64_t id, std::uint64_t offset, const std::string& bytes) {
    return request<std::uint64_t>(by, caf::put_atom::value, image_piece{id, offset, bytes});
  }

  auto finish(const client& by, std::uint64_t id) {
    return request<image_info>(by, finish_atom::value, image_atom::value, id);
  }

  std::string push(const client& by, const std::string& name, const std::string& bytes) {
    auto place = begin(by, name, bytes);
    if (!place->value)
      return refusal(place);
    auto piece = put(by, place->get().id, 0, bytes);
    return piece->value ? refusal(finish(by, place->get().id)) : refusal(piece);
  }

  std::vector<image_info> list(const client& by) {
    return request<std::vector<image_info>>(by, list_atom::value, image_atom::value)->get();
  }

  std::string pull(const client& by, const std::string& name) {
    auto part = request<image_part>(by, caf::get_atom::value, image_query{name, 0});
    return part->value ? part->get().bytes : refusal(part);
  }

  std::string remove(const client& by, const std::string& name) {
    return refusal(
      request<caf::ok_atom>(by, caf::delete_atom::value, image_atom::value, std::string{name}));
  }

  std::shared_ptr<outcome<vm_info>> create(const client& by, const vm_config& config,
                                           std::vector<std::string> images) {
    return request<vm_info>(by, create_atom::value, config, ticket_list{std::move(images)});
  }

  vm_config with_disk(bool writable, image_format format = image_format::raw) {
    auto config = small_vm();
    config.disks = {{{"image:disk.img", 1}, format, writable}};
    return config;
  }

  static std::string bytes_in(int fd) {
    auto bytes = io::read_at(fd, 0, 100);
    return bytes ? *bytes : bytes.why().what;
  }

  static bool holds(const image_info& image, const std::string& name, bool in_use) {
    return image.name == name && image.in_use == in_use;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(image_tests, fixture)

CAF_TEST(an image is brought and listed and fetched and removed) {
  CAF_CHECK_EQUAL(push(remote, "disk.img", "the disk"), "done");
  auto images = list(remote);
  CAF_REQUIRE_EQUAL(images.size(), 1u);
  CAF_CHECK_EQUAL(images[0].owner, "subject \"CN=remote\"");
  CAF_CHECK_EQUAL(images[0].sha256, sum_of("the disk"));
  CAF_CHECK_EQUAL(pull(remote, "disk.img"), "the disk");
  CAF_CHECK_EQUAL(pull(alice, "disk.img"), "no_such_image: no image \"disk.img\"");
  CAF_CHECK_EQUAL(remove(alice, "disk.img"), "no_such_image: no image \"disk.img\"");
  CAF_CHECK_EQUAL(list(alice).size(), 0u);
  CAF_CHECK_EQUAL(remove(remote, "disk.img"), "done");
  CAF_CHECK_EQUAL(pull(remote, "disk.img"), "no_such_image: no image \"disk.img\"");
}

CAF_TEST(what is wrong with an upload is said) {
  auto place = begin(alice, "a", "abc");
  auto id = place->get().id;
  CAF_CHECK_EQUAL(refusal(put(alice, id, 2, "c")),
                  "invalid_config: image \"a\": a piece at 2; the next one is expected at 0");
  CAF_CHECK_EQUAL(refusal(put(alice, id, 0, std::string(max_image_piece_bytes + 1, 'x'))),
                  "invalid_config: image \"a\": a piece of 262145 bytes; allowed are 1 to 262144");
  CAF_CHECK_EQUAL(refusal(put(alice, id, 0, "abcd")),
                  "invalid_config: image \"a\": a piece of 4 bytes; only 3 are missing");
  CAF_CHECK_EQUAL(refusal(put(remote, id, 0, "a")),
                  "no_such_image: there is no such upload any more; begin it again");
  CAF_CHECK_EQUAL(refusal(finish(alice, id)),
                  "invalid_config: image \"a\" is not whole: 3 of 3 bytes are missing");
  CAF_CHECK_EQUAL(refusal(put(alice, id, 0, "abd")), "done");
  CAF_CHECK_EQUAL(refusal(finish(alice, id)).substr(0, 37),
                  "invalid_config: image \"a\" was removed");
  CAF_CHECK_EQUAL(refusal(begin(alice, "../a", "x")).substr(0, 20), "invalid_config: name");
}

CAF_TEST(a bound is refused by its name) {
  for (const auto* name : {"a", "b", "c"})
    CAF_CHECK_EQUAL(push(alice, name, name), "done");
  CAF_CHECK_EQUAL(push(alice, "d", "d"),
                  "busy: uid 1000 has 3 images, uploads included, as many as "
                  "one user may have (images.per_user)");
  auto limits =
    request<std::vector<limit_info>>(alice, caf::get_atom::value, limits_atom::value)->get();
  auto i = std::find_if(limits.begin(), limits.end(),
                        [](const auto& one) { return one.name == "stored_images_per_user"; });
  CAF_REQUIRE(i != limits.end());
  CAF_CHECK_EQUAL(i->used, 3u);
  CAF_CHECK_EQUAL(i->refused, 1u);
}

CAF_TEST(a client that vanishes leaves what it has sent) {
  auto place = begin(remote, "a", "abc");
  CAF_CHECK_EQUAL(refusal(put(remote, place->get().id, 0, "ab")), "done");
  cut(remote);
  auto again = connect(remote.who);
  auto next = begin(again, "a", "abc");
  CAF_REQUIRE_EQUAL(refusal(next), "done");
  CAF_CHECK_EQUAL(next->get().offset, 2u);
  CAF_CHECK_EQUAL(list(again).size(), 0u);
  CAF_CHECK_EQUAL(refusal(put(again, next->get().id, 2, "c")), "done");
  CAF_CHECK_EQUAL(refusal(finish(again, next->get().id)), "done");
}

CAF_TEST(a client on another host has a vm from its images) {
  CAF_REQUIRE_EQUAL(push(remote, "vmlinux", "the kernel"), "done");
  CAF_REQUIRE_EQUAL(push(remote, "disk.img", "the disk"), "done");
  auto made = create(remote, with_disk(false), {"image:vmlinux", "image:disk.img"});
  CAF_REQUIRE_EQUAL(refusal(made), "done");
  auto cid = made->get().cid;
  CAF_CHECK_EQUAL(made->get().owner.subject, "CN=remote");
  request<vm_info>(remote, start_atom::value, cid);
  auto vmm = launcher->launched.back();
  const auto& files = *vmm->request.files;
  CAF_REQUIRE_EQUAL(files.size(), 2u);
  CAF_CHECK_EQUAL(bytes_in(files.get(0)), "the kernel");
  CAF_CHECK_EQUAL(bytes_in(files.get(1)), "the disk");
  CAF_CHECK_EQUAL(::fcntl(files.get(1), F_GETFL) & O_ACCMODE, O_RDONLY);
  CAF_CHECK_EQUAL(remove(remote, "disk.img"),
                  "wrong_state: image \"disk.img\" is in use by a VM, or is being read");
  CAF_CHECK(holds(list(remote).at(0), "disk.img", true));
}

CAF_TEST(a writable image is one vm s and has no checksum then) {
  CAF_REQUIRE_EQUAL(push(remote, "vmlinux", "the kernel"), "done");
  CAF_REQUIRE_EQUAL(push(remote, "disk.img", "the disk"), "done");
  CAF_REQUIRE_EQUAL(refusal(create(remote, with_disk(true), {"image:vmlinux", "image:disk.img"})),
                    "done");
  CAF_CHECK_EQUAL(refusal(create(remote, with_disk(true), {"image:vmlinux", "image:disk.img"})),
                  "wrong_state: image \"disk.img\" is in use by a VM, or is being read");
  CAF_CHECK_EQUAL(refusal(create(remote, with_disk(false), {"image:vmlinux", "image:disk.img"})),
                  "wrong_state: image \"disk.img\" is in use by a VM that writes to it");
  auto all = list(remote);
  CAF_CHECK_EQUAL(all.at(0).sha256, "");
}

CAF_TEST(tickets and images come together and in their order) {
  CAF_REQUIRE_EQUAL(push(alice, "disk.img", "the disk"), "done");
  auto made = create(alice, with_disk(false), {deposit(alice, some_fd()), "image:disk.img"});
  CAF_REQUIRE_EQUAL(refusal(made), "done");
  request<vm_info>(alice, start_atom::value, made->get().cid);
  CAF_CHECK_EQUAL(bytes_in(launcher->launched.back()->request.files->get(1)), "the disk");
  CAF_CHECK_EQUAL(tickets->size(), 0u);
}

CAF_TEST(a request whose image is missing creates nothing and closes its descriptors) {
  watched_fd one;
  auto given = deposit(alice, std::move(one.theirs));
  CAF_CHECK_EQUAL(refusal(create(alice, with_disk(false), {given, "image:disk.img"})),
                  "no_such_image: no image \"disk.img\"");
  CAF_CHECK(one.closed());
  CAF_CHECK_EQUAL(refusal(create(remote, with_disk(false), {"image:../../etc", "image:disk.img"})),
                  "no_such_image: no image \"../../etc\"");
  CAF_CHECK_EQUAL(refusal(create(remote, with_disk(false), {"image:a", deposit(alice, some_fd())})),
                  "unsupported: descriptors can't be passed to or from another host");
  // They count.
  CAF_CHECK_EQUAL(refusal(create(remote, with_disk(false), {"image:vmlinux"})).substr(0, 15),
                  "invalid_config:");
}

CAF_TEST(what grows without an end goes to no image) {
  CAF_REQUIRE_EQUAL(push(remote, "vmlinux", "the kernel"), "done");
  CAF_REQUIRE_EQUAL(push(remote, "disk.img", "the disk"), "done");
  CAF_CHECK_EQUAL(
    refusal(
      create(remote, with_disk(true, image_format::qcow2), {"image:vmlinux", "image:disk.img"})),
    "invalid_config: disks[0] \"image:disk.img\": a stored image keeps its size, and a "
    "qcow2 that is written grows; use raw");
  auto config = small_vm();
  config.console = {"image:disk.img", 1};
  CAF_CHECK_EQUAL(
    refusal(create(remote, config, {"image:vmlinux", "image:disk.img"})),
    "invalid_config: console \"image:disk.img\": what a guest writes goes to no stored "
    "image, but to logs that are kept");
  CAF_CHECK_EQUAL(
    refusal(request<caf::ok_atom>(remote, create_atom::value,
                                  partition_spec{partition_type::qcow2, 4096, {"image:new", 0}},
                                  ticket_list{{"image:new"}})),
    "invalid_config: file \"image:new\": a stored image keeps its size, and a qcow2 "
    "that is written grows; use raw");
}

CAF_TEST(who may use only apps brings no disk as an image) {
  auto manager = connect(user(1001));
  grant(manager.who, {permission::manage});
  CAF_CHECK_EQUAL(refusal(create(manager, with_disk(false), {"image:a", "image:b"})),
                  "denied: uid 1001 lacks \"custom\"");
}

CAF_TEST(a partition is made in the store and counts) {
  CAF_REQUIRE_EQUAL(push(remote, "a", "a"), "done");
  CAF_REQUIRE_EQUAL(push(remote, "b", "b"), "done");
  auto make = [&](const std::string& name) {
    return refusal(request<caf::ok_atom>(
      remote, create_atom::value, partition_spec{partition_type::raw, 4096, {"image:" + name, 0}},
      ticket_list{{"image:" + name}}));
  };
  CAF_CHECK_EQUAL(make("a"), "name_taken: there is another image \"a\"; remove it, or choose "
                             "another name");
  CAF_CHECK_EQUAL(make("new"), "done");
  CAF_REQUIRE_EQUAL(list(remote).size(), 3u);
  auto all = list(remote);
  CAF_CHECK_EQUAL(all.at(2).name, "new");
  CAF_CHECK_EQUAL(all.at(2).sha256, "");
  CAF_CHECK_EQUAL(make("more").substr(0, 5), "busy:");
}

CAF_TEST(a partition that fails leaves no image) {
  builder->fails = io::failure{ENOSPC, "no space left"};
  CAF_CHECK_EQUAL(
    refusal(request<caf::ok_atom>(remote, create_atom::value,
                                  partition_spec{partition_type::raw, 4096, {"image:new", 0}},
                                  ticket_list{{"image:new"}})),
    "io_failed: no space left");
  CAF_CHECK_EQUAL(list(remote).size(), 0u);
  CAF_CHECK_EQUAL(push(remote, "new", "new"), "done");
}

CAF_TEST(without a store all of it is unsupported) {
  options.images = nullptr;
  options.others = {};
  open();
  CAF_CHECK_EQUAL(refusal(begin(alice, "a", "a")),
                  "unsupported: no images are stored here; a daemon has a store");
  CAF_CHECK_EQUAL(refusal(create(alice, small_vm(), {"image:vmlinux"})),
                  "unsupported: no images are stored here; a daemon has a store");
}

CAF_TEST_FIXTURE_SCOPE_END()
