// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/apex_list.hpp"

#include <caf/test/dsl.hpp>

#undef CAF_SUITE
#define CAF_SUITE io.payload.apex_list

using namespace crosvisor::io;

namespace {

const std::string android_list = R"(<?xml version="1.0" encoding="utf-8"?>
<apex-info-list>
  <apex-info moduleName="com.android.i18n" modulePath="/system/apex/com.android.i18n.apex"
    preinstalledModulePath="/system/apex/com.android.i18n.apex" versionCode="300000000"
    versionName="" isFactory="true" isActive="true" lastUpdateMillis="1629400000"
    provideSharedApexLibs="false"></apex-info>
  <apex-info moduleName="com.android.os.statsd" modulePath="statsd.apex" versionCode="2"
    isFactory="false" isActive="false" lastUpdateMillis="0" provideSharedApexLibs="false"/>
  <apex-info moduleName="com.android.vndk" modulePath="/data/apex/vndk.apex" versionCode="3"
    isFactory="false" isActive="true" provideSharedApexLibs="true"/>
</apex-info-list>)";

std::string xml_problem(const std::string& text) {
  auto list = parse_apex_xml(text, "/etc/l.xml");
  return list ? "" : list.why().what;
}

std::string map_problem(const std::string& text) {
  auto list = parse_apex_map(text, "/etc/l.json");
  return list ? "" : list.why().what;
}

std::string in_list(const std::string& elements) {
  return "<apex-info-list>" + elements + "</apex-info-list>";
}

apex_list list_of(std::vector<apex_info> apexes) {
  return {"/etc/l.xml", std::move(apexes)};
}

// The names, versions and paths of what is selected; or the problem.
std::string select(const apex_list& list, const std::vector<std::string>& names) {
  std::vector<wanted_apex> wanted;
  for (const auto& name : names)
    wanted.push_back({name, "asked"});
  auto selected = select_apexes(list, wanted);
  if (!selected)
    return selected.why().what;
  std::string text;
  for (const auto& apex : *selected)
    text += (text.empty() ? "" : " ") + apex.name + '@' + std::to_string(apex.version) + apex.path;
  return text;
}

} // namespace

CAF_TEST(a list as Android has it is read) {
  auto list = parse_apex_xml(android_list, "/etc/l.xml");
  CAF_REQUIRE(list);
  CAF_REQUIRE_EQUAL(list->apexes.size(), std::size_t{3});
  const auto& i18n = list->apexes[0];
  CAF_CHECK_EQUAL(i18n.name, "com.android.i18n");
  CAF_CHECK_EQUAL(i18n.path, "/system/apex/com.android.i18n.apex");
  CAF_CHECK_EQUAL(i18n.version, 300'000'000);
  CAF_CHECK_EQUAL(i18n.last_update_seconds, 1'629'400'000u);
  CAF_CHECK(i18n.factory && i18n.active && !i18n.shared_libs);
  CAF_CHECK(!list->apexes[1].active && !list->apexes[1].factory);
  CAF_CHECK(list->apexes[2].shared_libs);
  CAF_CHECK_EQUAL(list->file, "/etc/l.xml");
  auto oldest = parse_apex_xml(in_list(R"(<apex-info moduleName="a" modulePath="b"/>)"), "l");
  CAF_CHECK(oldest && oldest->apexes[0].active);
}

CAF_TEST(document types and entities are refused) {
  CAF_CHECK_EQUAL(xml_problem("<!DOCTYPE apex-info-list>\n" + in_list("")),
                  "/etc/l.xml:1:25: a document type is not allowed");
  CAF_CHECK_EQUAL(
    xml_problem("<?xml version=\"1.0\"?>\n<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b "
                "\"&a;&a;&a;\">]>\n"
                + in_list("&b;")),
    "/etc/l.xml:2:13: a document type is not allowed");
  CAF_CHECK_EQUAL(xml_problem("<!DOCTYPE l SYSTEM \"file:///etc/passwd\">" + in_list("")),
                  "/etc/l.xml:1:40: a document type is not allowed");
  CAF_CHECK_EQUAL(xml_problem(in_list("&x;")), "/etc/l.xml:1:17: malformed XML: undefined entity");
}

CAF_TEST(what is no list is refused where it stands) {
  CAF_CHECK_EQUAL(xml_problem(""), "/etc/l.xml:1:1: malformed XML: no element found");
  CAF_CHECK_EQUAL(xml_problem("<apexes/>"),
                  "/etc/l.xml:1:1: expected an apex-info-list, got \"apexes\"");
  CAF_CHECK_EQUAL(xml_problem("<apex-info-list>\n<x>").find("/etc/l.xml:2:4: malformed XML"), 0u);
  CAF_CHECK_EQUAL(xml_problem(in_list("\n <apex-info modulePath=\"x\"/>")),
                  "/etc/l.xml:2:2: moduleName: missing");
  CAF_CHECK_EQUAL(xml_problem(in_list("<apex-info moduleName=\"x\"/>")),
                  "/etc/l.xml:1:17: modulePath: missing");
  auto with = [](const std::string& attribute) {
    return xml_problem(in_list("<apex-info moduleName=\"a\" modulePath=\"b\" " + attribute + "/>"));
  };
  CAF_CHECK_EQUAL(with("versionCode=\"1\""), "");
  CAF_CHECK_EQUAL(with("versionCode=\"1x\""), "/etc/l.xml:1:17: versionCode: unexpected \"1x\"");
  CAF_CHECK_EQUAL(with("versionCode=\"99999999999999999999\""),
                  "/etc/l.xml:1:17: versionCode: unexpected \"99999999999999999999\"");
  CAF_CHECK_EQUAL(with("lastUpdateMillis=\"-1\""),
                  "/etc/l.xml:1:17: lastUpdateMillis: unexpected \"-1\"");
  CAF_CHECK_EQUAL(with("isActive=\"yes\""), "/etc/l.xml:1:17: isActive: unexpected \"yes\"");
  CAF_CHECK_EQUAL(with("colour=\"blue\""), "");
}

CAF_TEST(a huge list is refused) {
  const std::string apex = R"(<apex-info moduleName="a" modulePath="b"/>)";
  std::string full;
  for (std::size_t i = 0; i < max_listed_apexes; ++i)
    full += apex;
  CAF_CHECK_EQUAL(xml_problem(in_list(full)), "");
  CAF_CHECK(xml_problem(in_list(full + apex)).ends_with(": more than 1024 APEXes"));
  CAF_CHECK_EQUAL(xml_problem(in_list(std::string(max_apex_list_bytes, ' '))),
                  "/etc/l.xml:1:1: larger than 1 MiB");
  std::string deep;
  for (int i = 0; i < 100'000; ++i)
    deep += "<a>";
  CAF_CHECK_EQUAL(xml_problem(in_list(deep)), "/etc/l.xml:1:38: nested deeper than 8");
  CAF_CHECK(xml_problem(in_list("<apex-info moduleName=\"a\" modulePath=\"" + std::string(5000, 'x')
                                + "\"/>"))
              .starts_with("/etc/l.xml:1:17: modulePath: unexpected"));
}

CAF_TEST(elements of the name in other places are no APEXes) {
  auto list = parse_apex_xml(
    in_list(R"(<group><apex-info moduleName="a" modulePath="b"/></group><other/>)"), "l");
  CAF_CHECK(list && list->apexes.empty());
}

CAF_TEST(a map of names to paths is read) {
  auto list = parse_apex_map(R"({"a": "a.apex", "b": {"path": "/b.apex", "version": 7,
    "last_update": 5, "factory": true, "active": false, "shared_libs": true}})",
                             "/etc/l.json");
  CAF_REQUIRE(list);
  CAF_REQUIRE_EQUAL(list->apexes.size(), std::size_t{2});
  CAF_CHECK_EQUAL(list->apexes[0].name, "a");
  CAF_CHECK_EQUAL(list->apexes[0].path, "a.apex");
  CAF_CHECK(list->apexes[0].active && !list->apexes[0].shared_libs);
  const auto& b = list->apexes[1];
  CAF_CHECK_EQUAL(b.version, 7);
  CAF_CHECK_EQUAL(b.last_update_seconds, 5u);
  CAF_CHECK(b.factory && !b.active && b.shared_libs);
}

CAF_TEST(a map that is none is refused where it is not ) {
  CAF_CHECK_EQUAL(map_problem("[]"),
                  "/etc/l.json:1:1: list of APEXes: expected an object, got an array");
  CAF_CHECK_EQUAL(map_problem(R"({"": "x"})"), "/etc/l.json:1:2: an APEX without a name");
  CAF_CHECK_EQUAL(map_problem(R"({"a": 1})"),
                  "/etc/l.json:1:7: \"a\": expected the path of a file, got 1");
  CAF_CHECK_EQUAL(map_problem(R"({"a": {}})"), "/etc/l.json:1:7: \"a\".path: missing");
  CAF_CHECK_EQUAL(map_problem(R"({"a": {"path": "x", "versoin": 1}})"),
                  "/etc/l.json:1:21: unknown key \"versoin\"; did you mean \"version\"?");
  CAF_CHECK_EQUAL(map_problem(R"({"a": {"path": "x", "version": -1}})"),
                  "/etc/l.json:1:32: \"a\".version: -1 is out of range; allowed is 0 to "
                  "4294967295");
  CAF_CHECK_EQUAL(map_problem(R"({"a": "x", "a": "y"})"),
                  "/etc/l.json:1:12: key \"a\" is given twice");
}

CAF_TEST(named active APEXes are selected and all that share libraries) {
  auto list = list_of({{"c", "/c", 1}, {"b", "/b", 1}, {"a", "/a", 1}});
  list.apexes.push_back({"libs", "/l", 1, 0, false, true, true});
  list.apexes.push_back({"off", "/o", 1, 0, false, false, true});
  CAF_CHECK_EQUAL(select(list, {}), "libs@1/l");
  CAF_CHECK_EQUAL(select(list, {"c", "a"}), "a@1/a c@1/c libs@1/l");
}

CAF_TEST(a name that is asked for twice gives one APEX wherever the names stand) {
  auto list = list_of({{"a", "/a", 1}, {"b", "/b", 1}});
  CAF_CHECK_EQUAL(select(list, {"a", "b", "a", "b", "b"}), "a@1/a b@1/b");
}

CAF_TEST(an APEX that the list has twice is selected once) {
  auto list = list_of({{"a", "/a", 3}, {"b", "/b", 1}, {"a", "/a2", 2}, {"a", "/a", 1}});
  CAF_CHECK_EQUAL(select(list, {"a"}), "a@2/a2 a@3/a");
}

CAF_TEST(the order is by name and version and last update) {
  auto list = list_of({{"b", "/1", 2}, {"a", "/2", 2, 9}, {"a", "/3", 2, 8}, {"a", "/4", 1}});
  CAF_CHECK_EQUAL(select(list, {"a", "b"}), "a@1/4 a@2/3 a@2/2 b@2/1");
}

CAF_TEST(what is missing is named with where it was looked for) {
  auto list = list_of({{"com.android.adbd", "/a", 1}});
  list.apexes.push_back({"off", "/o", 1, 0, false, false, false});
  CAF_CHECK_EQUAL(select(list, {"com.android.adb"}),
                  "asked \"com.android.adb\": no such APEX in /etc/l.xml; did you mean "
                  "\"com.android.adbd\"?");
  CAF_CHECK_EQUAL(select(list, {"x"}), "asked \"x\": no such APEX in /etc/l.xml");
  CAF_CHECK_EQUAL(select(list, {"off"}), "asked \"off\": the APEX is not active in /etc/l.xml");
  CAF_CHECK_EQUAL(select(list, {"{CLASSPATH}"}),
                  "asked \"{CLASSPATH}\": the APEXes of Android's class path; this host has no "
                  "class path");
}
