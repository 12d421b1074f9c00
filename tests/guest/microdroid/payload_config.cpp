// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/guest/microdroid/payload_config.hpp"

#include <caf/test/dsl.hpp>

#include <string>
#include <vector>

#undef CAF_SUITE
#define CAF_SUITE guest.microdroid.payload_config

using namespace crosvisor::guest;

namespace {

/// The task, and the text that it points into.
struct reading {
  std::vector<char> text;
  task found;
  outcome read;

  explicit reading(const std::string& config) : text(config.begin(), config.end()) {
    read = read_payload_config(text.data(), text.size(), found);
  }

  /// The command and its arguments, with a bar between them.
  std::string words() const {
    std::string all = read.good() ? found.command : read.message;
    for (auto i = 0; read.good() && i < found.argument_count; ++i)
      all += std::string{"|"} + found.arguments[i];
    return all;
  }
};

std::string words(const std::string& config) {
  return reading{config}.words();
}

bool is_malformed(const std::string& config) {
  reading read{config};
  return read.read.why == cause::invalid_config
         && std::string{read.read.message}.starts_with("the configuration is no JSON object");
}

/// A task with one argument, a JSON string.
std::string with_argument(const std::string& argument) {
  return R"({"task":{"command":"c","args":[)" + argument + "]}}";
}

} // namespace

CAF_TEST(a configuration of 2021 is read) {
  reading read{R"({
    "version": 1,
    "os": {"name": "microdroid"},
    "task": {"type": "microdroid_launcher", "command": "libdemo.so", "args": ["hello", "there"]},
    "apexes": [{"name": "com.android.adbd"}]
  })"};
  CAF_CHECK_EQUAL(read.words(), "libdemo.so|hello|there");
  CAF_CHECK(read.found.launched);
}

CAF_TEST(a configuration of today is read) {
  reading read{R"({"task":{"type":"microdroid_launcher","command":"libdemo.so"},
    "extra_apks":[{"path":"/a"}],"prefer_staged":true,"export_tombstones":false,"hugepages":null})"};
  CAF_CHECK_EQUAL(read.words(), "libdemo.so");
}

CAF_TEST(a task is an executable unless its type says otherwise) {
  reading read{R"({"task":{"command":"/bin/true"}})"};
  CAF_CHECK_EQUAL(read.words(), "/bin/true");
  CAF_CHECK(!read.found.launched);
  CAF_CHECK(!reading{R"({"task":{"type":"executable","command":"x"}})"}.found.launched);
}

CAF_TEST(what is wrong with a task is said) {
  CAF_CHECK_EQUAL(words("{}"), "the configuration has no task with a command");
  CAF_CHECK_EQUAL(words(R"({"task":null})"), "the configuration has no task with a command");
  CAF_CHECK_EQUAL(words(R"({"task":{}})"), "the configuration has no task with a command");
  CAF_CHECK_EQUAL(words(R"({"task":{"command":""}})"), "the task's command is empty");
  CAF_CHECK_EQUAL(words(R"({"task":{"type":"script","command":"x"}})"),
                  "the task's type is \"script\"; there are \"executable\" and"
                  " \"microdroid_launcher\"");
  CAF_CHECK_EQUAL(words(R"({"task":{"type":"microdroid_launcher","command":"../x"}})"),
                  "the task's command \"../x\" is no name of a file in lib/");
  CAF_CHECK_EQUAL(words(R"({"task":{"type":"microdroid_launcher","command":".."}})"),
                  "the task's command \"..\" is no name of a file in lib/");
}

CAF_TEST(arguments are bounded) {
  auto many = [](int count) {
    std::string all = "\"a\"";
    for (auto i = 1; i < count; ++i)
      all += ",\"a\"";
    return with_argument(all);
  };
  CAF_CHECK_EQUAL(reading{many(64)}.found.argument_count, 64);
  CAF_CHECK_EQUAL(words(many(65)), "the task has more than 64 arguments");
}

CAF_TEST(of a task that is there twice the last counts) {
  CAF_CHECK_EQUAL(words(R"({"task":{"command":"a","args":["x"]},"task":{"command":"b"}})"), "b");
}

CAF_TEST(strings are decoded) {
  CAF_CHECK_EQUAL(words(with_argument(R"("\"\\\/\b\f\n\r\t")")), "c|\"\\/\b\f\n\r\t");
  CAF_CHECK_EQUAL(words(with_argument(R"("\u0041\u00e9\u20AC\ud83d\ude00")")),
                  "c|A\u00e9\u20ac\U0001f600");
  CAF_CHECK_EQUAL(words(with_argument(R"("")")), "c|");
}

CAF_TEST(strings that are wrong are refused) {
  for (auto* text :
       {R"("\u0000")", R"("\ud83d")", R"("\ude00")", R"("\ud83d\u0041")", R"("\u12g4")", R"("\x")",
        "\"a\nb\"", R"("\)", R"("\u12)", "\"", "1", "null", "[]"})
    CAF_CHECK(is_malformed(with_argument(text)));
}

CAF_TEST(what is no JSON is refused) {
  for (auto* text : {"",
                     " ",
                     "[]",
                     "null",
                     "\"x\"",
                     "{",
                     "{]",
                     "{\"a\"}",
                     "{\"a\":}",
                     "{\"a\":1,}",
                     "{,}",
                     "{\"a\":01}",
                     "{\"a\":1.}",
                     "{\"a\":-}",
                     "{\"a\":1e}",
                     "{\"a\":tru}",
                     "{\"a\":[1,]}",
                     "{\"a\":[1 2]}",
                     "{a:1}",
                     "{} x",
                     "{}{}",
                     "{\"task\":{\"command\":1}}",
                     "{\"task\":{\"command\":\"x\"}",
                     "{\"task\":{\"type\":7}}"})
    CAF_CHECK(is_malformed(text));
  CAF_CHECK(is_malformed(std::string("{}\0", 3)));
}

CAF_TEST(values of every kind are passed over) {
  CAF_CHECK_EQUAL(words(R"( { "a" : [ 0, -1.5e+3, 12, true, false, null, {"b":[{}]}, [] ] ,
    "task" : { "x" : { "command" : "no" } , "command" : "yes" } } )"),
                  "yes");
}

CAF_TEST(depth is bounded) {
  auto nested = [](std::size_t levels) {
    return "{\"a\":" + std::string(levels, '[') + std::string(levels, ']')
           + R"(,"task":{"command":"c"}})";
  };
  CAF_CHECK_EQUAL(words(nested(32)), "c");
  CAF_CHECK(is_malformed(nested(33)));
  CAF_CHECK(is_malformed(nested(1'000'000)));
}

CAF_TEST(a configuration that is cut short anywhere is refused) {
  std::string whole =
    R"({"os":{"name":"m"},"task":{"command":"c","args":["\u20ac",""]},"n":[1.5e3]})";
  for (std::size_t size = 0; size < whole.size(); ++size)
    CAF_CHECK(!reading{whole.substr(0, size)}.read.good());
  CAF_CHECK_EQUAL(words(whole), "c|\u20ac|");
}
