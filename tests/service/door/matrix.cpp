// SPDX-License-Identifier: Apache-2.0
// Every request of the door's by every kind of caller.
#include "crosvisor/tests/service/door/matrix.hpp"
#include "crosvisor/service/door/gate.hpp"
#include "crosvisor/tests/service/door/fixture.hpp"
#include "crosvisor/tests/service/door/inline_store.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <typeinfo>

#undef CAF_SUITE
#define CAF_SUITE service.door.matrix

using namespace crosvisor;
using namespace crosvisor::tests;

namespace {

template <class... Words>
std::string shape_of(const Words&...) {
  return typeid(caf::detail::type_list<Words...>).name();
}

template <class... Words, class Out>
std::string message_shape(caf::typed_mpi<caf::detail::type_list<Words...>, Out>) {
  return typeid(caf::detail::type_list<Words...>).name();
}

template <class... Messages>
std::set<std::string> shapes_of(caf::detail::type_list<Messages...>) {
  return {message_shape(Messages{})...};
}

struct fixture : door_fixture {
  std::vector<caller> who = {
    user(7777),
    user(1001),
    user(1002),
    user(1003),
    user(1004),
    user(1005),
    user(1006),
    user(1000),
    user(1000, 200),
    user(1008),
    user(0),
    subject("CN=nobody"),
    subject("CN=manager"),
    subject("CN=debugger"),
    subject("CN=customizer"),
    subject("CN=passed"),
    caller{},
  };
  temp_dir stored;
  std::set<std::string> shapes; ///< Of what was sent.
  vm_cid cid = no_cid;
  ticket word;

  fixture() {
    // Each cell makes a VM; what is looked at is who may.
    options.bounds.vms = options.bounds.vms_per_user = 100'000;
    options.bounds.subscriptions = options.bounds.subscriptions_per_user = 100'000;
    serving.cids = {2048, 65535};
    options.images = inline_store(stored);
    store_image(*options.images, user(4711), "others.img", "another's");
    open();
    CAF_REQUIRE_EQUAL(who.size(), std::size_t{column_count});
  }

  void set_grants(column asking) {
    using enum permission;
    revoke_all();
    grant(who[manager], {manage});
    grant(who[debugger], {debug});
    grant(who[customizer], {custom});
    grant(who[custom_manager], {manage, custom});
    grant(who[debug_manager], {manage, debug});
    grant(who[owner], {manage});
    grant(who[passed], {manage});
    grant(who[cert_manager], {manage});
    grant(who[cert_debugger], {debug});
    grant(who[cert_customizer], {custom});
    grant(who[cert_passed], {manage});
    // The owner has one uid; only in that column it may do so.
    if (asking == custom_owner)
      grant(who[owner], {custom});
  }

  void pass_to(const client& by, const client& to) {
    auto passing = request<ticket>(by, pass_atom::value, cid)->get();
    CAF_REQUIRE_EQUAL(refusal(request<vm_info>(to, pass_atom::value, passing)), "done");
  }

  /// A VM that runs unless it is to be started, whose owner is there, and who of `column` asks.
  client prepare(door_request request_of, column asking) {
    set_grants(custom_owner);
    auto of_owner = connect(who[owner]);
    cid = make_vm(of_owner);
    if (request_of != door_request::start)
      run_vm(of_owner, cid);
    pass_to(of_owner, connect(who[passed]));
    pass_to(of_owner, connect(who[cert_passed]));
    word = request<ticket>(of_owner, pass_atom::value, cid)->get();
    set_grants(asking);
    return connect(who[asking], asking != unknown);
  }

  template <class T, class... Words>
  char sent(const client& by, Words... words) {
    shapes.insert(shape_of(words...));
    auto answer = request<T>(by, std::move(words)...);
    if (answer->pending() || answer->value)
      return '+';
    if (answer->error.category() != caf::atom("crosvisor"))
      return '?';
    switch (static_cast<vm_errc>(answer->error.code())) {
      case vm_errc::denied: return 'd';
      case vm_errc::no_such_vm: return 'n';
      case vm_errc::unsupported: return 'u';
      case vm_errc::no_such_ticket: return 't';
      default: return '+';
    }
  }

  template <class... Words>
  char told(const client& by, Words... words) {
    shapes.insert(shape_of(words...));
    tell(by, std::move(words)...);
    return '.';
  }

  ticket_list files_of(const client& by, int count) {
    ticket_list list;
    if (by.who.kind != caller_kind::certificate)
      for (int i = 0; i < count; ++i)
        list.tickets.push_back(deposit(by, some_fd()));
    return list;
  }

  static vm_config app() {
    vm_config config;
    config.app.apk = {"a.apk", 0};
    config.app.idsig = {"a.apk.idsig", 1};
    config.app.instance = {"instance.img", 2};
    config.app.payload_binary = "payload.so";
    return config;
  }

  char send(door_request request_of, const client& by) {
    switch (request_of) {
      case door_request::create:
        return sent<vm_info>(by, create_atom::value, app(), files_of(by, 3));
      case door_request::create_custom:
        return sent<vm_info>(by, create_atom::value, small_vm(), files_of(by, 1));
      case door_request::find:
        return sent<vm_info>(by, caf::get_atom::value, vm_name{"vm-" + std::to_string(cid)});
      case door_request::get_state:
        return sent<vm_info>(by, caf::get_atom::value, state_atom::value, cid);
      case door_request::list: return sent<std::vector<vm_info>>(by, list_atom::value);
      case door_request::get_host:
        return sent<host_info>(by, caf::get_atom::value, host_atom::value);
      // What it holds tells whether the second one was granted.
      case door_request::get_limits:
        return sent<std::vector<limit_info>>(by, caf::get_atom::value, limits_atom::value);
      case door_request::get_all_limits: return sent_all_limits(by);
      case door_request::start: return sent<vm_info>(by, start_atom::value, cid);
      case door_request::stop: return sent<vm_info>(by, stop_atom::value, cid, caf::timespan{});
      case door_request::kill: return sent<vm_info>(by, kill_atom::value, cid);
      case door_request::suspend: return sent<vm_info>(by, suspend_atom::value, cid);
      case door_request::resume: return sent<vm_info>(by, resume_atom::value, cid);
      case door_request::get_balloon:
        return sent<balloon_info>(by, caf::get_atom::value, balloon_atom::value, cid);
      case door_request::set_balloon:
        return sent<caf::ok_atom>(by, caf::put_atom::value, balloon_atom::value, cid,
                                  std::uint64_t{4096});
      case door_request::connect: return sent_connect(by, 5555);
      case door_request::connect_privileged: return sent_connect(by, 22);
      case door_request::open_output:
        return sent<ticket>(by, caf::open_atom::value, output_atom::value, cid);
      case door_request::subscribe_output:
        return sent<caf::ok_atom>(by, caf::subscribe_atom::value, output_atom::value, cid);
      case door_request::read_log: {
        log_query query;
        query.vm = std::to_string(cid);
        return sent<log_piece>(by, caf::get_atom::value, query);
      }
      case door_request::subscribe: return sent<vm_info>(by, caf::subscribe_atom::value, cid);
      case door_request::watch: return sent<std::uint64_t>(by, watch_atom::value, std::uint64_t{0});
      case door_request::attach: return sent<vm_info>(by, attach_atom::value, cid);
      case door_request::hold: return sent<vm_info>(by, hold_atom::value, cid);
      case door_request::drop: return sent<vm_info>(by, drop_atom::value, cid);
      case door_request::pass: return sent<ticket>(by, pass_atom::value, cid);
      case door_request::take_passed: return sent<vm_info>(by, pass_atom::value, word);
      case door_request::make_partition:
        return sent<caf::ok_atom>(by, create_atom::value,
                                  partition_spec{partition_type::raw, 4096, {"p.img", 0}},
                                  files_of(by, 1));
      case door_request::make_idsig:
        return sent<idsig_info>(by, create_atom::value,
                                idsig_spec{false, {"a.apk", 0}, {"a.idsig", 1}}, files_of(by, 2));
      case door_request::subscribe_after:
        return sent<caf::ok_atom>(by, caf::subscribe_atom::value, cid, std::uint64_t{0});
      case door_request::begin_upload:
        return sent<upload_place>(by, create_atom::value,
                                  image_upload{"a.img", 3, std::string(64, '0')});
      case door_request::put_piece:
        return sent<std::uint64_t>(by, caf::put_atom::value, image_piece{0, 0, "x"});
      case door_request::finish_upload:
        return sent<image_info>(by, finish_atom::value, image_atom::value, std::uint64_t{0});
      case door_request::list_images:
        return sent<std::vector<image_info>>(by, list_atom::value, image_atom::value);
      case door_request::list_all_images: return sent_all_images(by);
      case door_request::read_image:
        return sent<image_part>(by, caf::get_atom::value, image_query{"others.img", 0});
      case door_request::remove_image:
        return sent<caf::ok_atom>(by, caf::delete_atom::value, image_atom::value,
                                  std::string{"others.img"});
      case door_request::drain: return sent_drain(by);
      case door_request::end_drain: return sent<caf::ok_atom>(by, resume_atom::value);
      case door_request::grant_output: return told(by, credit_atom::value, cid, std::uint64_t{1});
      case door_request::unsubscribe_output:
        return told(by, caf::unsubscribe_atom::value, output_atom::value, cid);
      case door_request::unsubscribe: return told(by, caf::unsubscribe_atom::value, cid);
      case door_request::unwatch: return told(by, caf::unsubscribe_atom::value);
      case door_request::detach: return told(by, detach_atom::value, cid);
    }
    return '?';
  }

  /// Others are to create VMs after it.
  char sent_drain(const client& by) {
    auto answer = sent<caf::ok_atom>(by, drain_atom::value, caf::timespan{});
    request<caf::ok_atom>(connect(who[root]), resume_atom::value);
    return answer;
  }

  char sent_all_limits(const client& by) {
    auto answer = request<std::vector<limit_info>>(by, caf::get_atom::value, limits_atom::value);
    if (answer->error)
      return 'd';
    return answer->get().front().name == "vms" ? '+' : 'd';
  }

  char sent_all_images(const client& by) {
    auto answer = request<std::vector<image_info>>(by, list_atom::value, image_atom::value);
    return answer->value && answer->get().size() == 1 ? '+' : 'd';
  }

  char sent_connect(const client& by, std::uint32_t port) {
    return sent<ticket>(by, caf::connect_atom::value, cid, port, caf::timespan{});
  }
};

} // namespace

CAF_TEST_FIXTURE_SCOPE(matrix_tests, fixture)

CAF_TEST(each request has one row and one rule) {
  auto rules = door_rules();
  CAF_REQUIRE_EQUAL(rules.size(), door_request_count);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    CAF_CHECK_EQUAL(static_cast<std::size_t>(rules[i].request), i);
    CAF_CHECK_EQUAL(std::count_if(rows.begin(), rows.end(),
                                  [&](const row& one) { return one.request == rules[i].request; }),
                    1);
    CAF_CHECK_NOT_EQUAL(to_string(rules[i].request), "invalid");
  }
}

CAF_TEST(each caller is answered each message as it is written) {
  for (const auto& [request_of, answers, silent] : rows) {
    std::string got;
    for (std::size_t i = 0; i < column_count; ++i)
      got += send(request_of, prepare(request_of, static_cast<column>(i)));
    CAF_CHECK_EQUAL(to_string(request_of) + ' ' + got, to_string(request_of) + ' ' + answers);
  }
  // A message that is new in the interface and has no row is missed here.
  auto all = shapes_of(door_actor::signatures{});
  CAF_CHECK(shapes == all);
  CAF_CHECK_EQUAL(shapes.size(), std::size_t{40});
}

CAF_TEST(what has no answer is judged by the gate as it is written) {
  door::vm_table vms;
  door::vm_identity id{4000, "demo", {who[owner], who[passed], who[cert_passed]}};
  vms.add({id, vm_actor{}, nullptr});
  door::gate gate{callers, grants, vms};
  for (const auto& [request_of, answers, silent] : rows) {
    std::string wanted = *silent ? silent : answers;
    std::replace(wanted.begin(), wanted.end(), 'u', '+');
    std::string got;
    for (std::size_t i = 0; i < column_count; ++i) {
      set_grants(static_cast<column>(i));
      auto sender = caf::actor_cast<caf::strong_actor_ptr>(connect(who[i], i != unknown).handle);
      caf::error why;
      if (rule_of(request_of).of_ones_own) {
        if (auto by = gate.enter(request_of, sender, vm_cid{4000}); !by)
          why = by.error();
      } else if (auto by = gate.enter(request_of, sender); !by) {
        why = by.error();
      }
      got += !why ? '+' : why == vm_errc::denied ? 'd' : 'n';
    }
    CAF_CHECK_EQUAL(to_string(request_of) + ' ' + got, to_string(request_of) + ' ' + wanted);
  }
}

CAF_TEST(another s vm is answered as none is) {
  prepare(door_request::get_state, manager);
  auto by = connect(who[manager]);
  auto others = cid;
  vm_cid none = 60'000;
  auto said = [&](vm_cid of) {
    auto number = std::to_string(of);
    log_query query;
    query.vm = number;
    std::vector<std::string> all = {
      refusal(request<vm_info>(by, caf::get_atom::value, vm_name{"vm-" + number})),
      refusal(request<vm_info>(by, caf::get_atom::value, state_atom::value, of)),
      refusal(request<vm_info>(by, stop_atom::value, of, caf::timespan{})),
      refusal(request<vm_info>(by, attach_atom::value, of)),
      refusal(request<ticket>(by, pass_atom::value, of)),
      refusal(
        request<ticket>(by, caf::connect_atom::value, of, std::uint32_t{5555}, caf::timespan{})),
      refusal(request<log_piece>(by, caf::get_atom::value, query)),
    };
    std::string text;
    for (auto one : all) {
      for (auto at = one.find(number); at != std::string::npos; at = one.find(number))
        one.replace(at, number.size(), "N");
      text += one + '\n';
    }
    return text;
  };
  CAF_CHECK_EQUAL(said(others), said(none));
  CAF_CHECK_EQUAL(said(none), "no_such_vm: no living VM with the name \"vm-N\"\n"
                              "no_such_vm: no VM with CID N\n"
                              "no_such_vm: no VM with CID N\n"
                              "no_such_vm: no VM with CID N\n"
                              "no_such_vm: no VM with CID N\n"
                              "no_such_vm: no VM with CID N\n"
                              "no_such_vm: no logs of a VM \"N\"\n");
}

CAF_TEST(a refusal says who lacks what) {
  auto state = [&](column asking) {
    auto by = prepare(door_request::get_state, asking);
    return refusal(request<vm_info>(by, stop_atom::value, cid, caf::timespan{}));
  };
  CAF_CHECK_EQUAL(state(nobody), "denied: uid 1001 lacks \"manage\"");
  CAF_CHECK_EQUAL(state(unknown), "denied: nobody knows who sent this");
  CAF_CHECK_EQUAL(state(cert_customizer), "denied: subject \"CN=customizer\" lacks \"manage\"");
  CAF_CHECK_EQUAL(state(debug_manager), "denied: uid 1006 may not stop VM " + std::to_string(cid)
                                          + ", which is uid 1000's");
  auto by = prepare(door_request::list, manager);
  CAF_CHECK_EQUAL(refusal(request<std::vector<vm_info>>(by, list_atom::value)),
                  "denied: uid 1002 lacks \"debug\"");
}

CAF_TEST_FIXTURE_SCOPE_END()
