// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/config/config_field.hpp"
#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/payload/apex_list.hpp"

#include <expat.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace crosvisor::io {

namespace {

/// Where the parser is. Newer releases of expat have a function of another name for it, and call
/// the older one deprecated.
template <class Parser>
auto byte_index(Parser parser) {
  if constexpr (requires { XML_GetCurrentByteIndex64(parser); })
    return XML_GetCurrentByteIndex64(parser);
  else
    return XML_GetCurrentByteIndex(parser);
}

struct free_parser {
  void operator()(XML_Parser parser) const noexcept { XML_ParserFree(parser); }
};

/// Makes a list of Expat's events, and stops at the first problem.
class apex_reader {
public:
  explicit apex_reader(XML_Parser parser) : parser_(parser) {
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, &on_start, &on_end);
    XML_SetStartDoctypeDeclHandler(parser, &on_doctype);
  }

  std::vector<apex_info> take() { return std::move(apexes_); }

  /// What was wrong, and where, unless it was the XML itself.
  const std::optional<config_problem>& problem() const { return problem_; }

private:
  static void XMLCALL on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
    static_cast<apex_reader*>(self)->start(name, attributes);
  }

  static void XMLCALL on_end(void* self, const XML_Char*) {
    --static_cast<apex_reader*>(self)->depth_;
  }

  static void XMLCALL on_doctype(void* self, const XML_Char*, const XML_Char*, const XML_Char*,
                                 int) {
    static_cast<apex_reader*>(self)->fail("a document type is not allowed");
  }

  void fail(std::string what) {
    auto at = byte_index(parser_);
    if (!problem_)
      problem_ = {at < 0 ? 0 : static_cast<std::size_t>(at), std::move(what)};
    XML_StopParser(parser_, XML_FALSE);
  }

  void start(std::string_view element, const XML_Char** attributes) {
    constexpr int max_depth = 8;
    if (++depth_ > max_depth)
      return fail("nested deeper than " + std::to_string(max_depth));
    if (depth_ == 1 && element != "apex-info-list")
      return fail("expected an apex-info-list, got " + in_quotes(element));
    if (depth_ != 2 || element != "apex-info")
      return;
    if (apexes_.size() == max_listed_apexes)
      return fail("more than " + std::to_string(max_listed_apexes) + " APEXes");
    auto& apex = apexes_.emplace_back();
    for (; *attributes != nullptr; attributes += 2)
      if (!read(attributes[0], attributes[1], apex))
        return fail(std::string{attributes[0]} + ": unexpected " + in_quotes(attributes[1]));
    if (apex.name.empty() || apex.path.empty())
      fail(apex.name.empty() ? "moduleName: missing" : "modulePath: missing");
  }

  static bool read(std::string_view key, std::string_view value, apex_info& apex) {
    if (key == "moduleName")
      return assign(value, apex.name);
    if (key == "modulePath")
      return assign(value, apex.path);
    if (key == "versionCode")
      return assign(value, apex.version);
    if (key == "lastUpdateMillis")
      return assign(value, apex.last_update_seconds);
    if (key == "isFactory")
      return assign(value, apex.factory);
    if (key == "isActive")
      return assign(value, apex.active);
    if (key == "provideSharedApexLibs")
      return assign(value, apex.shared_libs);
    return true;
  }

  static bool assign(std::string_view value, std::string& target) {
    target = value;
    return !value.empty() && value.size() < PATH_MAX;
  }

  static bool assign(std::string_view value, bool& target) {
    target = value == "true" || value == "1";
    return target || value == "false" || value == "0";
  }

  template <class Number>
  static bool assign(std::string_view value, Number& target) {
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), target);
    return error == std::errc{} && end == value.data() + value.size();
  }

  XML_Parser parser_;
  int depth_ = 0;
  std::vector<apex_info> apexes_;
  std::optional<config_problem> problem_;
};

} // namespace

result<apex_list> parse_apex_xml(std::string_view text, const std::string& file_name) {
  json_source source{text, printable(file_name, 4096)};
  if (text.size() > max_apex_list_bytes)
    return source.complain(0, "larger than " + std::to_string(max_apex_list_bytes >> 20) + " MiB");
  std::unique_ptr<std::remove_pointer_t<XML_Parser>, free_parser> parser{XML_ParserCreate(nullptr)};
  if (!parser)
    return failure{ENOMEM, printable(file_name, 4096) + ": no memory"};
  apex_reader reader{parser.get()};
  auto status = XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE);
  if (status == XML_STATUS_OK && !reader.problem())
    return apex_list{file_name, reader.take()};
  if (reader.problem())
    return source.complain(reader.problem()->offset, reader.problem()->what);
  auto at = byte_index(parser.get());
  auto code = XML_GetErrorCode(parser.get());
  if (code == XML_ERROR_NO_MEMORY)
    return failure{ENOMEM, printable(file_name, 4096) + ": no memory"};
  return source.complain(at < 0 ? text.size() : static_cast<std::size_t>(at),
                         std::string{"malformed XML: "} + XML_ErrorString(code));
}

} // namespace crosvisor::io
