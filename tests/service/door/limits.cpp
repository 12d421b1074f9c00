// SPDX-License-Identifier: Apache-2.0
// Each bound of the door's: what is said where it is reached, when there is room again, and what is
// told of it to those who ask.
#include "crosvisor/tests/service/door/fixture.hpp"

#include <algorithm>
#include <set>

#undef CAF_SUITE
#define CAF_SUITE service.door.limits

using namespace crosvisor;
using namespace crosvisor::tests;
using namespace std::chrono_literals;

namespace {

using limit_list = std::vector<limit_info>;

struct fixture : door_fixture {
  caller alice = user(1000);
  caller bob = user(1001);
  caller carol = user(1002);
  client a = connect(alice);
  client b = connect(bob);
  client c = connect(carol);

  fixture() {
    grant(alice, {permission::manage, permission::custom});
    grant(bob, {permission::manage, permission::custom});
    grant(carol, {permission::debug});
  }

  limit_list limits_for(const client& by) {
    return request<limit_list>(by, caf::get_atom::value, limits_atom::value)->get();
  }

  /// As carol is told it: `used/limit refused`.
  std::string limit(const std::string& name) {
    auto all = limits_for(c);
    auto found =
      std::find_if(all.begin(), all.end(), [&](const limit_info& one) { return one.name == name; });
    if (found == all.end())
      return "no " + name;
    return std::to_string(found->used) + '/' + std::to_string(found->limit) + ' '
           + std::to_string(found->refused);
  }

  std::string subscribe(const client& by, vm_cid cid) {
    return refusal(request<vm_info>(by, caf::subscribe_atom::value, cid));
  }

  std::string read_output(const client& by, vm_cid cid) {
    return refusal(request<caf::ok_atom>(by, caf::subscribe_atom::value, output_atom::value, cid));
  }

  std::shared_ptr<outcome<ticket>> connect_to(const client& by, vm_cid cid) {
    return request<ticket>(by, caf::connect_atom::value, cid, std::uint32_t{5555},
                           caf::timespan{1s});
  }

  /// Asks for as many images at once.
  std::vector<std::shared_ptr<outcome<caf::ok_atom>>> ask_for_images(const client& by, int count) {
    std::vector<std::shared_ptr<outcome<caf::ok_atom>>> asked;
    for (int i = 0; i < count; ++i)
      asked.push_back(std::make_shared<outcome<caf::ok_atom>>());
    ticket_list list{{deposit(by, some_fd()), deposit(by, some_fd())}};
    let_do(by, [=, to = door](caf::event_based_actor* actor) {
      for (std::size_t i = 0; i < asked.size(); ++i)
        actor
          ->request(to, test_timeout, create_atom::value,
                    partition_spec{partition_type::raw, 4096, {"p.img", 0}},
                    ticket_list{{list.tickets[i]}})
          .then([=](caf::ok_atom made) { asked[i]->value = made; },
                [=](caf::error& why) { asked[i]->error = std::move(why); });
    });
    return asked;
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(limit_tests, fixture)

CAF_TEST(vms are bounded in all) {
  options.bounds.vms = 2;
  open();
  auto first = make_vm(a);
  make_vm(a);
  CAF_CHECK_EQUAL(refusal(create(b)),
                  "busy: there are 2 VMs, as many as there may be (limits.vms)");
  CAF_CHECK_EQUAL(limit("vms"), "2/2 1");
  CAF_CHECK_EQUAL(limit("vms_per_user"), "2/1024 0");
  end_vm(run_vm(a, first));
  pass(1h);
  CAF_CHECK_EQUAL(refusal(create(b)), "done");
  CAF_CHECK_EQUAL(limit("vms"), "2/2 1");
  CAF_CHECK_EQUAL(limit("vms_per_user"), "1/1024 0");
}

CAF_TEST(one user s vms are bounded and each refusal is counted) {
  options.bounds.vms_per_user = 1;
  open();
  make_vm(a);
  constexpr char full[] =
    "busy: uid 1000 has 1 VMs, as many as one user may have (limits.vms_per_user)";
  CAF_CHECK_EQUAL(refusal(create(a)), full);
  CAF_CHECK_EQUAL(refusal(create(a)), full);
  CAF_CHECK_EQUAL(limit("vms_per_user"), "1/1 2");
}

CAF_TEST(requests are bounded in all) {
  options.bounds.requests = 2;
  open();
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  auto stopping = request<vm_info>(a, stop_atom::value, cid, caf::timespan{1h});
  auto again = request<vm_info>(a, stop_atom::value, cid, caf::timespan{1h});
  CAF_CHECK_EQUAL(refusal(request<host_info>(b, caf::get_atom::value, host_atom::value)),
                  "busy: there are 2 requests that wait for an answer, as many as there may be "
                  "(limits.requests)");
  CAF_CHECK_EQUAL(limit("requests"), "2/2 1");
  end_vm(vmm);
  CAF_CHECK(stopping->value && again->value);
  CAF_CHECK_EQUAL(limit("requests"), "0/2 1");
  CAF_CHECK_EQUAL(refusal(request<host_info>(b, caf::get_atom::value, host_atom::value)), "done");
}

CAF_TEST(subscriptions are bounded in all) {
  options.bounds.subscriptions = 1;
  open();
  auto cid = make_vm(a);
  CAF_CHECK_EQUAL(subscribe(a, cid), "done");
  constexpr char full[] =
    "busy: there are 1 subscriptions, as many as there may be (limits.subscriptions)";
  CAF_CHECK_EQUAL(refusal(request<std::uint64_t>(c, watch_atom::value, std::uint64_t{0})), full);
  CAF_CHECK_EQUAL(limit("subscriptions"), "1/1 1");
  tell(a, caf::unsubscribe_atom::value, cid);
  CAF_CHECK_EQUAL(refusal(request<std::uint64_t>(c, watch_atom::value, std::uint64_t{0})), "done");
}

CAF_TEST(images are bounded in all and for one user) {
  options.bounds.images = 2;
  options.bounds.images_per_user = 1;
  open();
  auto d = connect(user(1003));
  grant(d.who, {permission::manage});
  auto mine = ask_for_images(a, 2);
  auto others = ask_for_images(b, 1);
  auto more = ask_for_images(d, 1);
  settle();
  CAF_CHECK_EQUAL(refusal(mine[0]), "done");
  CAF_CHECK_EQUAL(refusal(mine[1]), "busy: uid 1000 has 1 images that are not made yet, as many as "
                                    "one user may have (limits.images_per_user)");
  // One of the two comes first.
  std::set<std::string> said{refusal(others[0]), refusal(more[0])};
  CAF_CHECK(said.contains("done"));
  CAF_CHECK(said.contains("busy: there are 2 images that are not made yet, as many as there may be "
                          "(limits.images)"));
  CAF_CHECK_EQUAL(limit("images"), "0/2 1");
  CAF_CHECK_EQUAL(limit("images_per_user"), "0/1 1");
}

CAF_TEST(one vm s subscribers are bounded) {
  options.bounds.subscribers_per_vm = 1;
  open();
  auto cid = make_vm(a);
  auto other = make_vm(a);
  auto more = connect(alice);
  CAF_CHECK_EQUAL(subscribe(a, cid), "done");
  CAF_CHECK_EQUAL(subscribe(a, cid), "done");
  auto full = "busy: VM " + std::to_string(cid)
              + " has 1 subscribers, as many as one VM may have (limits.subscribers_per_vm)";
  CAF_CHECK_EQUAL(subscribe(more, cid), full);
  CAF_CHECK_EQUAL(
    refusal(request<caf::ok_atom>(more, caf::subscribe_atom::value, cid, std::uint64_t{0})), full);
  CAF_CHECK_EQUAL(subscribe(more, other), "done");
  CAF_CHECK_EQUAL(limit("subscribers_per_vm"), "1/1 2");
  tell(a, caf::unsubscribe_atom::value, cid);
  CAF_CHECK_EQUAL(subscribe(more, cid), "done");
}

CAF_TEST(who reads one vm s output is bounded) {
  options.bounds.output_readers_per_vm = 1;
  open();
  auto cid = make_vm(a);
  run_vm(a, cid);
  auto more = connect(alice);
  CAF_CHECK_EQUAL(read_output(a, cid), "done");
  CAF_CHECK_EQUAL(read_output(more, cid), "busy: VM " + std::to_string(cid)
                                            + " has 1 readers of its output, as many as one VM may "
                                              "have (limits.output_readers_per_vm)");
  CAF_CHECK_EQUAL(limit("output_readers_per_vm"), "1/1 1");
  tell(a, caf::unsubscribe_atom::value, output_atom::value, cid);
  CAF_CHECK_EQUAL(read_output(more, cid), "done");
}

CAF_TEST(connections that are not made yet are bounded) {
  options.bounds.connects_per_vm = 1;
  open();
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  auto first = connect_to(a, cid);
  CAF_REQUIRE_EQUAL(vmm->connects.size(), 1u);
  CAF_CHECK_EQUAL(refusal(connect_to(a, cid)), "busy: VM " + std::to_string(cid)
                                                 + " has 1 connections that are not made yet, as "
                                                   "many as one VM may have "
                                                   "(limits.connects_per_vm)");
  CAF_CHECK_EQUAL(limit("connects_per_vm"), "1/1 1");
  vmm->connects[0].done(std::make_shared<io::unique_fd>(some_fd()));
  settle();
  CAF_CHECK_EQUAL(refusal(first), "done");
  CAF_CHECK_EQUAL(limit("connects_per_vm"), "0/1 1");
  CAF_CHECK(connect_to(a, cid)->pending());
}

CAF_TEST(to how many a vm is passed is bounded) {
  options.bounds.users_per_vm = 2;
  options.bounds.passes_per_vm = 2;
  open();
  auto cid = make_vm(a);
  auto number = std::to_string(cid);
  auto word = request<ticket>(a, pass_atom::value, cid)->get();
  auto second = request<ticket>(a, pass_atom::value, cid)->get();
  CAF_CHECK_EQUAL(refusal(request<ticket>(a, pass_atom::value, cid)),
                  "busy: VM " + number
                    + " has 2 words that nobody has taken, as many as one VM may "
                      "have (limits.passes_per_vm)");
  CAF_CHECK_EQUAL(limit("passes_per_vm"), "2/2 1");
  CAF_CHECK_EQUAL(refusal(request<vm_info>(b, pass_atom::value, word)), "done");
  CAF_CHECK_EQUAL(limit("passes_per_vm"), "1/2 1");
  auto d = connect(user(1003));
  grant(d.who, {permission::manage});
  CAF_CHECK_EQUAL(refusal(request<vm_info>(d, pass_atom::value, second)),
                  "busy: VM " + number
                    + " has 2 users, as many as one VM may have "
                      "(limits.users_per_vm)");
  CAF_CHECK_EQUAL(limit("users_per_vm"), "2/2 1");
}

CAF_TEST(events make room for later ones and it is counted) {
  options.bounds.events_kept = 3;
  open();
  auto cid = make_vm(a);
  auto vmm = run_vm(a, cid);
  CAF_CHECK_EQUAL(limit("events_kept"), "3/3 0");
  end_vm(vmm);
  CAF_CHECK_EQUAL(limit("events_kept"), "3/3 1");
}

CAF_TEST(restarts are those of the vm that had most) {
  options.restarts.most = 7;
  open();
  make_vm(a);
  auto config = small_vm("again");
  config.restart = restart_policy::always;
  auto made = request<vm_info>(a, create_atom::value, config, ticket_list{{deposit(a, some_fd())}});
  auto vmm = run_vm(a, made->get().cid);
  CAF_CHECK_EQUAL(limit("restarts"), "0/7 0");
  end_vm(vmm);
  CAF_CHECK_EQUAL(limit("restarts"), "1/7 0");
}

CAF_TEST(the names are stable and each says its key) {
  options.others = [](const caller*) { return limit_list{{"tickets", "limits.tickets", 1, 2, 3}}; };
  open();
  std::string text;
  for (const auto& one : limits_for(c))
    text += one.name + (one.key == "limits." + one.name ? "" : " (" + one.key + ')') + '\n';
  CAF_CHECK_EQUAL(text, "vms\nvms_per_user\nrequests\nrequests_per_user\nsubscriptions\n"
                        "subscriptions_per_user\nstreams\nstreams_per_user\nimages\nimages_per_"
                        "user\nreferences_per_user\n"
                        "subscribers_per_vm\noutput_readers_per_vm\nconnects_per_vm\n"
                        "users_per_vm\npasses_per_vm\nevents_kept\nrestarts (restarts.most)\n"
                        "log_reads ()\ntickets\n");
  CAF_CHECK_EQUAL(limit("tickets"), "1/2 3");
}

CAF_TEST(without debug everybody sees their own alone) {
  std::vector<std::string> asked;
  options.others = [&](const caller* of) {
    asked.push_back(of != nullptr ? to_string(*of) : "all");
    return limit_list{};
  };
  options.bounds.vms_per_user = 1;
  open();
  make_vm(a);
  create(a);
  std::string text;
  for (const auto& by : {a, b})
    for (const auto& one : limits_for(by))
      text += one.name + ' ' + std::to_string(one.used) + ' ' + std::to_string(one.refused) + '\n';
  CAF_CHECK_EQUAL(text, "vms_per_user 1 1\nrequests_per_user 0 0\nsubscriptions_per_user 0 0\n"
                        "streams_per_user 0 0\nimages_per_user 0 0\n"
                        "vms_per_user 0 0\nrequests_per_user 0 0\nsubscriptions_per_user 0 0\n"
                        "streams_per_user 0 0\nimages_per_user 0 0\n");
  limits_for(c);
  CAF_CHECK(asked == (std::vector<std::string>{to_string(alice), to_string(bob), "all"}));
}

CAF_TEST_FIXTURE_SCOPE_END()
