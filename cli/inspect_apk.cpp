// SPDX-License-Identifier: Apache-2.0
// APKs and their digests.
#include "crosvisor/cli/inspected_file.hpp"
#include "crosvisor/cli/progress_bar.hpp"
#include "crosvisor/io/apk/apk_archive.hpp"
#include "crosvisor/io/apk/idsig_tree.hpp"
#include "crosvisor/io/apk/signing_block.hpp"
#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/config/printable.hpp"
#include "crosvisor/io/payload/payload_config.hpp"

#include <string_view>
#include <utility>

namespace crosvisor::cli {

namespace {

/// How many of an APK's files are tried.
constexpr std::size_t most_configs = 16;

/// Ids: source.android.com/docs/security/features/apksigning/v2.
constexpr std::pair<std::uint32_t, const char*> algorithms[] = {
  {0x0101, "RSA-PSS, SHA-256"},       {0x0102, "RSA-PSS, SHA-512"},
  {0x0103, "RSA, SHA-256"},           {0x0104, "RSA, SHA-512"},
  {0x0201, "ECDSA, SHA-256"},         {0x0202, "ECDSA, SHA-512"},
  {0x0301, "DSA, SHA-256"},           {0x0421, "RSA, tree of SHA-256"},
  {0x0423, "ECDSA, tree of SHA-256"}, {0x0425, "DSA, tree of SHA-256"},
};

std::string algorithm_name(std::uint32_t id) {
  for (const auto& [known, name] : algorithms)
    if (known == id)
      return name;
  return "unknown: " + std::to_string(id);
}

void add_signature(const inspected_file& file, inspection& to) {
  auto signature = io::read_apk_signature(file.fd.get(), file.size_bytes);
  to.facts["signature"] = nullptr;
  if (!signature) {
    to.problems.push_back(signature.why().what);
    return;
  }
  if (signature->digest.empty()) {
    to.remarks.push_back("it is not signed by APK signature scheme v3, since "
                         + signature->unsigned_because);
    return;
  }
  to.facts["signature"] = {{"scheme", "v3"},
                           {"algorithm", algorithm_name(signature->algorithm_id)},
                           {"digest", io::to_hex(signature->digest)}};
}

/// What makes a file of JSON a payload's configuration, and no other.
bool says_something(const io::payload_config& config) {
  return config.task || !config.os_name.empty() || !config.apexes.empty()
         || !config.extra_apks.empty();
}

ordered_facts facts_of(const io::payload_config& config, const std::string& name) {
  ordered_facts facts{{"apexes", config.apexes.size()},
                      {"extra_apks", config.extra_apks.size()},
                      {"task", nullptr},
                      {"os", config.os_name},
                      {"command", nullptr},
                      {"path", name}};
  if (!config.task)
    return facts;
  facts["task"] =
    config.task->kind == io::task_kind::executable ? "executable" : "microdroid_launcher";
  facts["command"] = config.task->command;
  return facts;
}

/// A file that is no configuration may be anything else, and so is no problem.
void add_configs(const io::apk_archive& archive, inspection& to) {
  auto configs = ordered_facts::array();
  std::size_t tried = 0;
  for (const auto& name : archive.names(archive.size())) {
    if (!name.starts_with("assets/") || !name.ends_with(".json"))
      continue;
    if (tried++ == most_configs) {
      to.remarks.push_back("only the first " + std::to_string(most_configs)
                           + " files of JSON in assets/ were looked at");
      break;
    }
    auto text = archive.read(name, io::max_json_bytes);
    auto config = text ? io::parse_payload_config(*text, name) : text.why();
    if (!config)
      to.remarks.push_back("no payload's configuration: " + config.why().what);
    else if (says_something(*config))
      configs.push_back(facts_of(*config, name));
  }
  to.facts["payload_configs"] = std::move(configs);
}

ordered_facts facts_of(const io::idsig& from) {
  const auto& signing = from.signing;
  ordered_facts facts{{"root_hash", io::to_hex(from.root_hash)},
                      {"salt", io::to_hex(from.salt)},
                      {"apk_digest", io::to_hex(signing.apk_digest)},
                      {"signed", !signing.signature.empty()},
                      {"algorithm", algorithm_name(signing.algorithm_id)},
                      {"certificate_bytes", signing.certificate.size()},
                      {"further_signing_infos", from.more.size()},
                      {"tree_bytes", from.tree_bytes}};
  return facts;
}

void add_problems(const std::vector<std::string>& from, inspection& to) {
  to.problems.insert(to.problems.end(), from.begin(), from.end());
}

} // namespace

inspection inspect_apk(const inspected_file& file) {
  inspection found{"apk", ordered_facts::object(), {}, {}};
  auto archive = io::apk_archive::open(file.fd.get());
  found.facts["entries"] = archive ? ordered_facts(archive->size()) : ordered_facts();
  add_signature(file, found);
  if (archive)
    add_configs(*archive, found);
  else
    found.problems.push_back(archive.why().what);
  return found;
}

inspection inspect_idsig(const inspected_file& file) {
  auto read = io::read_idsig(file.fd.get());
  if (!read)
    return {"idsig", ordered_facts::object(), {}, {read.why().what}};
  inspection found{"idsig", facts_of(*read), {}, {}};
  auto problems = io::find_tree_problems(file.fd.get(), *read);
  add_problems(problems ? *problems : std::vector{problems.why().what}, found);
  if (read->tree_bytes == 0)
    found.remarks.push_back("it is of an APK of one block at the most, and so has no tree");
  return found;
}

void compare_with_apk(const inspected_file& idsig, const inspected_file& apk, inspection& found) {
  auto& facts = found.facts["apk"];
  facts = {{"file", apk.path},
           {"size_bytes", apk.size_bytes},
           {"tree_fits", nullptr},
           {"digest_fits", nullptr}};
  auto read = io::read_idsig(idsig.fd.get());
  if (!read)
    return; // Was told.
  progress_bar bar{apk.path};
  io::job_control control{[&bar](auto done, auto total) { bar.show(done, total); }};
  auto match = io::compare_with_apk(idsig.fd.get(), *read, apk.fd.get(), control);
  if (!match)
    return found.problems.push_back(match.why().what);
  facts["tree_fits"] = match->tree;
  if (match->digest)
    facts["digest_fits"] = *match->digest;
  add_problems(match->problems, found);
}

} // namespace crosvisor::cli
