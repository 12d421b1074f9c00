// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/service/permissions.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace crosvisor {

namespace {

template <class T>
bool holds(const std::vector<T>& values, const T& value) noexcept {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool grants_it(const permission_grant& grant, const caller& who) noexcept {
  if (who.kind == caller_kind::certificate)
    return !who.subject.empty() && holds(grant.subjects, who.subject);
  return holds(grant.uids, who.uid) || holds(grant.gids, who.gid)
         || std::any_of(who.groups.begin(), who.groups.end(),
                        [&](std::uint32_t gid) { return holds(grant.gids, gid); });
}

constexpr std::array<std::pair<door_request, const char*>, door_request_count> names{{
  {door_request::create, "create"},
  {door_request::create_custom, "create_custom"},
  {door_request::find, "find"},
  {door_request::get_state, "get_state"},
  {door_request::list, "list"},
  {door_request::get_host, "get_host"},
  {door_request::start, "start"},
  {door_request::stop, "stop"},
  {door_request::kill, "kill"},
  {door_request::suspend, "suspend"},
  {door_request::resume, "resume"},
  {door_request::get_balloon, "get_balloon"},
  {door_request::set_balloon, "set_balloon"},
  {door_request::connect, "connect"},
  {door_request::connect_privileged, "connect_privileged"},
  {door_request::open_output, "open_output"},
  {door_request::subscribe_output, "subscribe_output"},
  {door_request::grant_output, "grant_output"},
  {door_request::unsubscribe_output, "unsubscribe_output"},
  {door_request::read_log, "read_log"},
  {door_request::subscribe, "subscribe"},
  {door_request::unsubscribe, "unsubscribe"},
  {door_request::watch, "watch"},
  {door_request::unwatch, "unwatch"},
  {door_request::attach, "attach"},
  {door_request::detach, "detach"},
  {door_request::hold, "hold"},
  {door_request::drop, "drop"},
  {door_request::pass, "pass"},
  {door_request::take_passed, "take_passed"},
  {door_request::make_partition, "make_partition"},
  {door_request::make_idsig, "make_idsig"},
  {door_request::subscribe_after, "subscribe_after"},
  {door_request::drain, "drain"},
  {door_request::end_drain, "end_drain"},
  {door_request::get_limits, "get_limits"},
  {door_request::get_all_limits, "get_all_limits"},
  {door_request::begin_upload, "begin_upload"},
  {door_request::put_piece, "put_piece"},
  {door_request::finish_upload, "finish_upload"},
  {door_request::list_images, "list_images"},
  {door_request::list_all_images, "list_all_images"},
  {door_request::read_image, "read_image"},
  {door_request::remove_image, "remove_image"},
}};

// What only gives up something of the sender's own needs nothing, so that who lost a permission can
// still do it.
std::array<door_rule, door_request_count> make_rules() {
  using enum door_request;
  using enum permission;
  return {{
    // request, needs, of one's own, or debug, of root
    {create, {manage}, false, false},
    {create_custom, {manage, custom}, false, false},
    {find, {manage}, true, true},
    {get_state, {manage}, true, true},
    {list, {debug}, false, false},
    {get_host, {}, false, false},
    {start, {manage}, true, false},
    {stop, {manage}, true, false},
    {door_request::kill, {manage}, true, false},
    {suspend, {manage}, true, false},
    {resume, {manage}, true, false},
    {get_balloon, {manage}, true, false},
    {set_balloon, {manage}, true, false},
    {door_request::connect, {manage}, true, false},
    {connect_privileged, {manage, custom}, true, false},
    {open_output, {manage}, true, false},
    {subscribe_output, {manage}, true, false},
    {grant_output, {manage}, true, false},
    {unsubscribe_output, {}, false, false},
    {read_log, {manage}, true, true},
    {subscribe, {manage}, true, true},
    {unsubscribe, {}, false, false},
    {watch, {debug}, false, false},
    {unwatch, {}, false, false},
    {attach, {manage}, true, false},
    {detach, {}, false, false},
    {hold, {manage}, true, true},
    {drop, {manage}, true, true},
    {pass, {manage}, true, false},
    {take_passed, {manage}, false, false},
    {make_partition, {manage}, false, false},
    {make_idsig, {manage}, false, false},
    {subscribe_after, {manage}, true, true},
    {drain, {}, false, false, true},
    {end_drain, {}, false, false, true},
    {get_limits, {}, false, false},
    {get_all_limits, {debug}, false, false},
    {begin_upload, {manage}, false, false},
    {put_piece, {manage}, false, false},
    {finish_upload, {manage}, false, false},
    {list_images, {}, false, false},
    {list_all_images, {debug}, false, false},
    {read_image, {manage}, false, false},
    {remove_image, {manage}, false, false},
  }};
}

const std::array<door_rule, door_request_count>& rules() {
  static const auto table = make_rules();
  return table;
}

} // namespace

bool may_do_all(const caller& who) noexcept {
  switch (who.kind) {
    case caller_kind::process: return true;
    case caller_kind::socket: return who.uid == 0;
    case caller_kind::certificate: return false;
  }
  return false;
}

bool permission_grants::allows(const caller& who, permission what) const noexcept {
  auto index = static_cast<std::size_t>(what);
  return may_do_all(who) || (index < permission_count && grants_it(of[index], who));
}

bool permission_grants::knows(const caller& who) const noexcept {
  return may_do_all(who)
         || std::any_of(std::begin(of), std::end(of),
                        [&](const permission_grant& grant) { return grants_it(grant, who); });
}

std::span<const door_rule> door_rules() {
  return rules();
}

const door_rule& rule_of(door_request request) {
  return rules().at(static_cast<std::size_t>(request));
}

std::string to_string(permission what) {
  switch (what) {
    case permission::manage: return "manage";
    case permission::debug: return "debug";
    case permission::custom: return "custom";
  }
  return "invalid";
}

std::string to_string(door_request request) {
  auto index = static_cast<std::size_t>(request);
  return index < names.size() ? names[index].second : "invalid";
}

} // namespace crosvisor
