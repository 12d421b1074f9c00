// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/timeline.hpp"

#include <caf/test/dsl.hpp>

#include <expat.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>

#undef CAF_SUITE
#define CAF_SUITE cli.timeline

using namespace crosvisor;
using namespace crosvisor::cli;

namespace {

constexpr std::int64_t zero = 1'790'000'000'000'000;

vm_event event(vm_event_kind kind, std::int64_t at_us, std::vector<vm_step> steps = {}) {
  vm_event made;
  made.cid = 2048;
  made.name = "demo";
  made.kind = kind;
  made.time_us = zero + at_us;
  made.time_ms = made.time_us / 1000;
  for (auto& step : steps) {
    step.begin_us += zero;
    step.end_us += zero;
  }
  made.steps = std::move(steps);
  return made;
}

/// One that was ready after 100 ms.
std::vector<vm_event> ready_vm() {
  return {event(vm_event_kind::created, 100, {{"cid", 0, 80}}),
          event(vm_event_kind::starting, 10'000, {{"images", 1'000, 9'000}}),
          event(vm_event_kind::started, 50'000,
                {{"keeper", 10'100, 20'000},
                 {"prepare", 20'000, 25'000},
                 {"spawn", 25'000, 30'000},
                 {"vmm", 30'000, 49'900}}),
          event(vm_event_kind::payload_started, 90'000), event(vm_event_kind::ready, 100'000)};
}

std::string names_of(const timeline_life& life) {
  std::string names;
  for (const auto& span : life.spans)
    names += (names.empty() ? "" : " ") + span.name + (span.open ? "..." : "");
  return names;
}

/// What is wrong with it as XML; empty: it is well-formed.
std::string xml_problem(const std::string& text) {
  std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser{XML_ParserCreate("UTF-8"),
                                                                 XML_ParserFree};
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), 1) == XML_STATUS_OK)
    return "";
  return XML_ErrorString(XML_GetErrorCode(parser.get()));
}

} // namespace

CAF_TEST(a start is drawn on one scale) {
  CAF_CHECK_EQUAL(
    timeline_text(make_timeline(ready_vm()), 80),
    "vm 2048 demo\n"
    "ready after 100.000 ms\n"
    "STEP          FROM       TOOK\n"
    "cid       0.000 ms   0.080 ms  #\n"
    "images    1.000 ms   8.000 ms  ####\n"
    "keeper   10.100 ms   9.900 ms       #####\n"
    "prepare  20.000 ms   5.000 ms            ##\n"
    "spawn    25.000 ms   5.000 ms              ###\n"
    "vmm      30.000 ms  19.900 ms                 #########\n"
    "kernel   50.000 ms  40.000 ms                           ###################\n"
    "payload  90.000 ms  10.000 ms                                              #####\n");
}

CAF_TEST(what is not over is drawn up to the last event) {
  auto events = ready_vm();
  events.resize(3);
  events.push_back(event(vm_event_kind::suspended, 70'000));
  auto made = make_timeline(events);
  CAF_REQUIRE_EQUAL(made.lives.size(), 1u);
  CAF_CHECK_EQUAL(names_of(made.lives[0]), "cid images keeper prepare spawn vmm kernel...");
  CAF_CHECK_EQUAL(made.lives[0].spans.back().took_us(), 20'000);
  CAF_CHECK_EQUAL(made.lives[0].end, "");
  CAF_CHECK(timeline_text(made, 80).find("--------") != std::string::npos);
}

CAF_TEST(a start that failed ends with its death) {
  auto events = ready_vm();
  events.resize(2);
  auto dead = event(vm_event_kind::dead, 40'000, {{"keeper", 10'000, 20'000}});
  dead.reason = death_reason::start_failed;
  events.push_back(dead);
  auto made = make_timeline(events);
  CAF_CHECK_EQUAL(names_of(made.lives.at(0)), "cid images keeper");
  CAF_CHECK_EQUAL(made.lives.at(0).end, "dead: start_failed");
}

CAF_TEST(what happens after it was ready is not of the start) {
  auto events = ready_vm();
  events.push_back(event(vm_event_kind::finished, 900'000));
  events.push_back(event(vm_event_kind::dead, 950'000));
  auto made = make_timeline(events);
  CAF_REQUIRE_EQUAL(made.lives.size(), 1u);
  CAF_CHECK_EQUAL(made.lives[0].took_us(), 100'000);
  CAF_CHECK_EQUAL(made.lives[0].end, "ready");
}

CAF_TEST(each life is by itself) {
  auto events = ready_vm();
  auto restarting = event(vm_event_kind::restarting, 200'000);
  restarting.reason = death_reason::crash;
  events.push_back(restarting);
  events.push_back(event(vm_event_kind::starting, 1'200'000));
  events.push_back(event(vm_event_kind::started, 1'250'000, {{"keeper", 1'200'000, 1'220'000}}));
  auto made = make_timeline(events);
  CAF_REQUIRE_EQUAL(made.lives.size(), 2u);
  CAF_CHECK_EQUAL(made.lives[1].number, 2u);
  CAF_CHECK_EQUAL(names_of(made.lives[1]), "keeper kernel...");
  CAF_CHECK_EQUAL(made.lives[1].drawn_at(zero + 1'220'000), 20'000);
  auto text = timeline_text(made, 80);
  CAF_CHECK(text.find("life 1: ready after 100.000 ms\n") != std::string::npos);
  CAF_CHECK(text.find("life 2: goes on after 50.000 ms\n") != std::string::npos);
}

CAF_TEST(a long wait for the start is cut out) {
  auto events = ready_vm();
  constexpr std::int64_t hour = 3'600'000'000;
  for (std::size_t i = 1; i < events.size(); ++i) {
    events[i].time_us += hour;
    for (auto& step : events[i].steps) {
      step.begin_us += hour;
      step.end_us += hour;
    }
  }
  auto made = make_timeline(events);
  CAF_REQUIRE_EQUAL(made.lives.size(), 1u);
  CAF_CHECK_EQUAL(made.lives[0].cut_us, hour + 900); // From `created` to its images.
  CAF_CHECK_EQUAL(made.lives[0].took_us(), 99'100);
  CAF_CHECK_EQUAL(made.lives[0].drawn_at(zero + 80), 80);
}

CAF_TEST(events of an older service have milliseconds alone) {
  auto events = ready_vm();
  for (auto& one : events) {
    one.time_us = 0;
    one.steps.clear();
  }
  auto made = make_timeline(events);
  CAF_CHECK_EQUAL(names_of(made.lives.at(0)), "kernel payload");
  CAF_CHECK_EQUAL(made.lives.at(0).took_us(), 50'000);
}

CAF_TEST(without its first events it is said) {
  auto events = ready_vm();
  events.erase(events.begin());
  CAF_CHECK(timeline_text(make_timeline(events), 80).find("are not kept any more\n")
            != std::string::npos);
  CAF_CHECK(make_timeline({}).lives.empty());
}

CAF_TEST(lines are as wide as the terminal and no narrower than 60) {
  for (auto [columns, widest] : {std::pair{0u, 60u}, {60u, 60u}, {80u, 80u}, {200u, 200u}}) {
    auto text = timeline_text(make_timeline(ready_vm()), columns);
    std::size_t longest = 0;
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
      longest = std::max(longest, end - at);
    CAF_CHECK_EQUAL(longest, widest);
  }
}

CAF_TEST(a picture is well formed whatever the name) {
  auto events = ready_vm();
  for (auto& one : events)
    one.name = "<&\">\x01\xff";
  auto text = timeline_svg(make_timeline(events));
  CAF_CHECK_EQUAL(xml_problem(text), "");
  CAF_CHECK_EQUAL(xml_problem(text.substr(0, text.size() - 5)), "unclosed token");
  CAF_CHECK(text.find("<title>kernel: 40.000 ms</title>") != std::string::npos);
}

CAF_TEST(a trace has a slice for each span) {
  auto trace = nlohmann::json::parse(timeline_trace(make_timeline(ready_vm())));
  std::size_t slices = 0;
  for (const auto& one : trace.at("traceEvents"))
    if (one.at("ph") == "X") {
      ++slices;
      CAF_CHECK_EQUAL(one.at("pid").get<int>(), 2048);
      CAF_CHECK_EQUAL(one.at("tid").get<int>(), 1);
      if (one.at("name") == "keeper") {
        CAF_CHECK_EQUAL(one.at("ts").get<std::int64_t>(), zero + 10'100);
        CAF_CHECK_EQUAL(one.at("dur").get<std::int64_t>(), 9'900);
      }
    }
  CAF_CHECK_EQUAL(slices, 8u);
}

CAF_TEST(programs get all times) {
  auto all = nlohmann::json::parse(timeline_json(make_timeline(ready_vm())));
  CAF_CHECK_EQUAL(all.at("schema").get<int>(), 1);
  const auto& life = all.at("lives").at(0);
  CAF_CHECK_EQUAL(life.at("end").get<std::string>(), "ready");
  CAF_CHECK_EQUAL(life.at("spans").at(0).at("end_us").get<std::int64_t>(), zero + 80);
}
