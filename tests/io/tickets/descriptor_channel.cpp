// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/tickets/descriptor_channel.hpp"

#include "crosvisor/tests/io/tickets/door_fixture.hpp"

#include <future>

#undef CAF_SUITE
#define CAF_SUITE io.tickets.descriptor_channel

using namespace crosvisor;
using namespace crosvisor::io;
using namespace crosvisor::tests;

namespace {

constexpr std::chrono::milliseconds short_bound{50};
const ticket unknown(ticket_digits, '0');

struct fixture : door_fixture {
  /// What `call` fails with, when the service is somebody who answers `answer` with copies of
  /// `fds`.
  template <class Call>
  failure failure_after(const std::string& answer, const std::vector<int>& fds, Call call) {
    auto listening = listen_at(path);
    auto opened = channel();
    CAF_REQUIRE(opened);
    unique_fd service{::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    auto served = std::async(std::launch::async, [&] {
      hear(service.get());
      say(service.get(), answer, fds);
      if (answer == "(end)")
        service.reset();
    });
    auto failed = call(*opened);
    auto next = call(*opened);
    CAF_CHECK_EQUAL(next.code, ENOTCONN);
    return failed;
  }

  static failure put_one(descriptor_channel& over) {
    descriptor_set files;
    files.add(std::move(pipe_ends{}.writer));
    auto put = over.put(files);
    return put ? failure{} : put.why();
  }

  static failure take_one(descriptor_channel& over) {
    auto taken = over.take(unknown);
    return taken ? failure{} : taken.why();
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(descriptor_channel_tests, fixture)

CAF_TEST(a hundred descriptors get a hundred tickets in their order) {
  open();
  {
    auto client = channel();
    CAF_REQUIRE(client);
    descriptor_set files;
    for (auto i = 0; i < 100; ++i)
      files.add(std::move(pipe_ends{}.writer));
    auto put = client->put(files);
    CAF_REQUIRE(put);
    CAF_REQUIRE_EQUAL(put->tickets.size(), 100u);
    for (std::uint32_t i = 0; i < 100; ++i) {
      auto kept = left(put->tickets[i]);
      CAF_REQUIRE(kept);
      CAF_CHECK(is_same_file(kept.get(), files.get(i)));
      CAF_CHECK_EQUAL(::fcntl(kept.get(), F_GETFD), FD_CLOEXEC);
    }
  }
  check_nothing_left();
}

CAF_TEST(stored images stand among the tickets in their order) {
  open();
  auto client = channel();
  CAF_REQUIRE(client);
  descriptor_set files;
  files.add_stored_image("first");
  files.add(std::move(pipe_ends{}.writer));
  files.add_stored_image("third");
  files.add_stored_image("fourth");
  files.add(std::move(pipe_ends{}.writer));
  files.add_stored_image("last");
  auto put = client->put(files);
  CAF_REQUIRE(put);
  CAF_REQUIRE_EQUAL(put->tickets.size(), 6u);
  for (auto [index, name] : {std::pair{0u, "image:first"},
                             {2u, "image:third"},
                             {3u, "image:fourth"},
                             {5u, "image:last"}})
    CAF_CHECK_EQUAL(put->tickets[index], name);
  for (auto index : {1u, 4u})
    CAF_CHECK(static_cast<bool>(left(put->tickets[index])));
  descriptor_set stored;
  stored.add_stored_image("only");
  auto only = client->put(stored);
  CAF_REQUIRE(only);
  CAF_REQUIRE_EQUAL(only->tickets.size(), 1u);
  CAF_CHECK_EQUAL(only->tickets[0], "image:only");
}

CAF_TEST(what the service left is taken once) {
  open();
  {
    pipe_ends pipe;
    unique_fd copy{::fcntl(pipe.writer.get(), F_DUPFD_CLOEXEC, 3)};
    auto of = tickets->put(std::move(copy), self_as_client(), ticket_store::direction::to_client);
    CAF_REQUIRE(of);
    auto client = channel();
    CAF_REQUIRE(client);
    auto taken = client->take(*of);
    CAF_REQUIRE(taken);
    CAF_CHECK(is_same_file(taken->get(), pipe.writer.get()));
    CAF_CHECK_EQUAL(::fcntl(taken->get(), F_GETFD), FD_CLOEXEC);
    auto again = client->take(*of);
    CAF_REQUIRE(!again);
    CAF_CHECK_EQUAL(again.why().code, 0);
    CAF_CHECK_EQUAL(again.why().what, "there is no such ticket");
  }
  check_nothing_left();
}

CAF_TEST(a refusal says why and the channel goes on) {
  tickets = ticket_store::make({std::chrono::seconds{30}, 3, 100});
  open();
  auto client = channel();
  CAF_REQUIRE(client);
  descriptor_set files;
  for (auto i = 0; i < 4; ++i)
    files.add(std::move(pipe_ends{}.writer));
  auto put = client->put(files);
  CAF_REQUIRE(!put);
  CAF_CHECK_EQUAL(put.why().code, 0);
  CAF_CHECK_EQUAL(put.why().what, to_string(self_as_client())
                                    + " has 3 descriptors that wait, as many as one user may have "
                                      "(limits.tickets_per_user)");
  CAF_CHECK_EQUAL(put_one(*client).what, "");
  auto nothing = client->put({});
  CAF_REQUIRE(nothing);
  CAF_CHECK(nothing->tickets.empty());
  auto wrong = client->take("../../etc");
  CAF_REQUIRE(!wrong);
  CAF_CHECK_EQUAL(wrong.why().what, "\"../../etc\": is no ticket");
}

CAF_TEST(a client that is not admitted is told) {
  options.admits = [](const caller&) { return false; };
  open();
  auto client = channel();
  CAF_REQUIRE(client);
  auto failed = put_one(*client);
  CAF_CHECK_EQUAL(failed.code, 0);
  CAF_CHECK_EQUAL(failed.what, to_string(self_as_client()) + " may not use this service");
}

CAF_TEST(a service that is not there is an error of the host) {
  auto missing = channel();
  CAF_REQUIRE(!missing);
  CAF_CHECK_EQUAL(missing.why().code, ENOENT);
  listen_at(path); // And leaves.
  auto left = channel();
  CAF_REQUIRE(!left);
  CAF_CHECK_EQUAL(left.why().code, ECONNREFUSED);
  auto long_path = descriptor_channel::connect("/" + std::string(107, 'x'), patience);
  CAF_REQUIRE(!long_path);
  CAF_CHECK_EQUAL(long_path.why().code, 0);
  CAF_CHECK_EQUAL(to_string(holdings{}), to_string(before));
}

CAF_TEST(a service that does not answer is not waited for) {
  auto listening = listen_at(path);
  auto client = channel(short_bound);
  CAF_REQUIRE(client);
  CAF_CHECK_EQUAL(put_one(*client).code, ETIMEDOUT);
  CAF_CHECK_EQUAL(put_one(*client).code, ENOTCONN);
}

CAF_TEST(a service that accepts nobody is not waited for) {
  auto listening = listen_at(path, 0);
  std::vector<result<descriptor_channel>> clients;
  do
    clients.push_back(channel(short_bound));
  while (clients.back() && clients.size() < 10);
  CAF_REQUIRE(!clients.back());
  CAF_CHECK_EQUAL(clients.back().why().code, ETIMEDOUT);
}

CAF_TEST(what is no answer closes the channel) {
  pipe_ends pipe;
  auto fd = pipe.writer.get();
  CAF_CHECK_EQUAL(failure_after("yes", {}, put_one).code, EPROTO);
  CAF_CHECK_EQUAL(failure_after("(end)", {}, put_one).code, EPROTO);
  CAF_CHECK_EQUAL(failure_after("ok", {}, put_one).code, EPROTO);
  CAF_CHECK_EQUAL(failure_after("ok " + unknown + " " + unknown, {}, put_one).code, EPROTO);
  CAF_CHECK_EQUAL(failure_after("ok", {}, take_one).code, EPROTO);
  CAF_CHECK_EQUAL(failure_after("ok", {fd, fd}, take_one).code, EPROTO);
  CAF_CHECK_EQUAL(failure_after("ok", std::vector<int>(200, fd), take_one).code, EMFILE);
  CAF_CHECK_EQUAL(failure_after("yes", {fd}, take_one).code, EPROTO);
  pipe.writer.reset();
  CAF_CHECK(is_let_go(pipe));
}

CAF_TEST(a service that leaves is an error of the host) {
  auto listening = listen_at(path);
  auto client = channel();
  CAF_REQUIRE(client);
  unique_fd{::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)}.reset();
  CAF_CHECK_EQUAL(put_one(*client).code, ECONNRESET);
  CAF_CHECK_EQUAL(put_one(*client).code, ENOTCONN);
}

CAF_TEST(a client without room for a descriptor is told) {
  open();
  pipe_ends told;
  child_of full{::geteuid(), [&] {
                  auto client = channel();
                  ticket of(ticket_digits, '0');
                  if (!client || ::read(told.reader.get(), of.data(), of.size()) < 0)
                    return 1;
                  descriptor_limit limit{1};
                  unique_fd last{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
                  auto taken = client->take(of);
                  return !taken && taken.why().code == EMFILE ? 0 : 2;
                }};
  auto him = self_as_client();
  him.pid = full.pid();
  auto of = tickets->put(std::move(pipe_ends{}.writer), him, ticket_store::direction::to_client);
  CAF_REQUIRE(of);
  CAF_CHECK_EQUAL(::write(told.writer.get(), of->data(), of->size()), 32);
  CAF_CHECK_EQUAL(full.result(), 0);
}

CAF_TEST_FIXTURE_SCOPE_END()
