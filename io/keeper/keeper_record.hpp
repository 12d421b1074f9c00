// SPDX-License-Identifier: Apache-2.0
// What a keeper and the service that starts it have on disk of a VM.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/result.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace crosvisor::io {

/// Where the folders of all records are: `keepers` in the state directory, mode 0700.
std::string keeper_records_path(const std::string& state_dir);

/// Whose something of a keeper's is.
enum class kept_life : std::uint8_t {
  present, ///< The life that runs, or ran last.
  last,    ///< The one before, which is kept until the next one has begun.
};

/// What both call it: `<cid>`, `<cid>.last`.
std::string kept_life_name(vm_cid cid, kept_life which);

/// The life of a name; its CID is no_cid where it is none.
std::pair<vm_cid, kept_life> parse_kept_life(std::string_view name) noexcept;

/// The folder of one VM's record, `<state>/keepers/<cid>`, in which are
/// - `launch`, the launch's text, which the service writes before it starts the keeper,
/// - `notes`, a JSON object, which the keeper writes whenever one changes, and
/// - `exit`, how the VMM ended, a JSON object, which the keeper writes before it tells anybody.
///
/// Each is replaced whole. A keeper holds the folder's lock (flock) for as long as it lives; it has
/// the folder's descriptor from the service, which had the lock first, so that there is no moment
/// without it. Errors name the file. Blocks as long as working on files does. Use from one thread
/// at a time.
class keeper_record {
public:
  /// Makes the folder of a VM that begins, locked, without what an earlier VM of that CID left.
  /// EBUSY: a living keeper has it.
  static result<keeper_record> make(const std::string& state_dir, vm_cid cid);

  /// The folder that is there, not locked by this.
  static result<keeper_record> open(const std::string& state_dir, vm_cid cid,
                                    kept_life which = kept_life::present);

  /// Whether there is one of either life, of a keeper that lives or has ended.
  static bool exists(const std::string& state_dir, vm_cid cid) noexcept;

  /// The one that a keeper inherited, with its lock.
  static keeper_record inherit(unique_fd folder, std::string path);

  const std::string& path() const noexcept { return path_; }

  /// The folder's own descriptor, for a keeper to inherit.
  int fd() const noexcept { return folder_.get(); }

  /// Takes the lock unless this has it. EBUSY: its keeper lives.
  result<void> lock();

  /// Whether a living keeper, or somebody who looks for an instant, holds the lock.
  bool is_held() const noexcept;

  result<void> write_launch(const std::string& text);
  result<void> write_notes(const vm_notes& notes);

  /// When this returns, it is there whatever happens to the host.
  result<void> write_exit(const vmm_exit& exit);

  /// Nothing: it was not written.
  result<std::optional<std::string>> read_launch() const;
  result<std::optional<vm_notes>> read_notes() const;
  result<std::optional<vmm_exit>> read_exit() const;

  /// From now on it is that of kept_life::last; any number of times. ENOTEMPTY: there is one.
  result<void> step_aside();

  /// Removes the folder and all in it, with the lock held. EBUSY: its keeper lives.
  result<void> remove();

private:
  keeper_record(unique_fd folder, std::string path)
      : folder_(std::move(folder)), path_(std::move(path)) {}

  enum class durability { process, host };
  std::string named(const char* name) const;
  result<void> replace(const char* name, const std::string& text, durability until);
  result<std::optional<std::string>> read(const char* name) const;

  unique_fd folder_;
  std::string path_;
};

} // namespace crosvisor::io
