// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/io/payload/app_payload.hpp"

#include "crosvisor/io/apk/apk_archive.hpp"
#include "crosvisor/io/apk/idsig.hpp"
#include "crosvisor/io/apk/merkle_tree.hpp"
#include "crosvisor/io/config/json_document.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace crosvisor::io {

namespace {

result<void> check_file(const file_ref& file, const std::string& key, const descriptor_set& files) {
  if (!file)
    return {};
  struct stat is;
  if (::fstat(files.get(file.index), &is) != 0)
    return failure{0, named(key, file.path) + ": came without a descriptor"};
  if (!S_ISREG(is.st_mode))
    return failure{0, named(key, file.path) + ": is not a regular file"};
  if (is.st_size == 0)
    return failure{0, named(key, file.path) + ": is empty"};
  return {};
}

/// Whether a digest can be that of its APK, which only the guest finds out for sure.
result<void> check_idsig(const extra_apk& apk, const std::string& apk_key,
                         const std::string& idsig_key, const descriptor_set& files) {
  auto what = named(idsig_key, apk.idsig.path) + ": ";
  auto digest = read_idsig(files.get(apk.idsig.index));
  if (!digest)
    return failure{digest.why().code, what + digest.why().what};
  struct stat is;
  if (::fstat(files.get(apk.apk.index), &is) != 0)
    return last_failure(named(apk_key, apk.apk.path));
  auto needed = merkle_tree_bytes(static_cast<std::uint64_t>(is.st_size));
  if (digest->tree_bytes != needed)
    return failure{0, what + "is of another file: its tree has "
                        + std::to_string(digest->tree_bytes) + " bytes, that of "
                        + named(apk_key, apk.apk.path) + " has " + std::to_string(needed)};
  return {};
}

result<void> check_apk(const extra_apk& apk, const std::string& apk_key,
                       const std::string& idsig_key, const descriptor_set& files) {
  if (auto fit = check_file(apk.apk, apk_key, files); !fit)
    return fit;
  if (auto fit = check_file(apk.idsig, idsig_key, files); !fit)
    return fit;
  return check_idsig(apk, apk_key, idsig_key, files);
}

result<void> check_files(const app_config& app, const descriptor_set& files) {
  if (auto fit = check_apk({app.apk, app.idsig}, "app.apk", "app.idsig", files); !fit)
    return fit;
  if (auto fit = check_file(app.instance, "app.instance", files); !fit)
    return fit;
  if (auto fit = check_file(app.encrypted_storage, "app.encrypted_storage", files); !fit)
    return fit;
  for (std::size_t i = 0; i < app.extra_apks.size(); ++i) {
    auto key = "app.extra_apks[" + std::to_string(i) + ']';
    if (auto fit = check_apk(app.extra_apks[i], key + ".apk", key + ".idsig", files); !fit)
      return fit;
  }
  return {};
}

/// Protobuf's text is UTF-8; what is printable as it stands is.
result<void> check_text(const std::string& key, const std::string& text) {
  if (printable(text, max_config_path_bytes) != text)
    return failure{0, key + ' ' + in_quotes(text) + ": is not printable UTF-8 text"};
  return {};
}

result<payload_config> read_config(const app_config& app, const apk_archive& apk) {
  if (auto fit = check_text("app.config_path", app.config_path); !fit)
    return fit.why();
  auto text = apk.read(app.config_path, max_json_bytes);
  if (!text)
    return text.why();
  auto config = parse_payload_config(*text, app.config_path);
  if (!config)
    return config.why();
  if (!config->os_name.empty() && config->os_name != "microdroid" && config->os_name != app.os)
    return failure{0, app.config_path + ": os.name: " + in_quotes(config->os_name)
                        + "; this app is to run in " + in_quotes(app.os)};
  if (config->extra_apks.size() != app.extra_apks.size())
    return failure{0, app.config_path + ": extra_apks: names "
                        + std::to_string(config->extra_apks.size()) + "; app.extra_apks gives "
                        + std::to_string(app.extra_apks.size())};
  return config;
}

/// Whether an entry is lib/<abi>/<binary>. Which ABI is the guest's is the guest's to know.
bool is_library(std::string_view entry, std::string_view binary) {
  constexpr std::string_view folder = "lib/";
  if (!entry.starts_with(folder))
    return false;
  entry.remove_prefix(folder.size());
  auto slash = entry.find('/');
  return slash != entry.npos && slash > 0 && entry.substr(slash + 1) == binary;
}

result<payload_config> find_binary(const app_config& app, const apk_archive& apk) {
  if (auto fit = check_text("app.payload_binary", app.payload_binary); !fit)
    return fit.why();
  auto names = apk.names(apk.size());
  auto found = std::any_of(names.begin(), names.end(),
                           [&](const auto& name) { return is_library(name, app.payload_binary); });
  if (!found)
    return failure{0, "has no lib/<abi>/" + app.payload_binary + ", the app.payload_binary"};
  payload_config config;
  config.task = payload_task{task_kind::microdroid_launcher, app.payload_binary, {}};
  return config;
}

} // namespace

std::string named(const std::string& key, const std::string& path) {
  return key + ' ' + in_quotes(path);
}

result<payload_config> read_app_payload(const app_config& app, const descriptor_set& files) {
  if (auto fit = check_files(app, files); !fit)
    return fit.why();
  auto apk = apk_archive::open(files.get(app.apk.index));
  auto config = !apk                      ? result<payload_config>{apk.why()}
                : app.config_path.empty() ? find_binary(app, *apk)
                                          : read_config(app, *apk);
  if (!config)
    return failure{config.why().code, named("app.apk", app.apk.path) + ": " + config.why().what};
  return config;
}

} // namespace crosvisor::io
