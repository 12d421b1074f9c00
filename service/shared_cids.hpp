// SPDX-License-Identifier: Apache-2.0
// CIDs that several processes of one user take from one range.
#pragma once

#include "crosvisor/io/backend.hpp"
#include "crosvisor/io/unique_fd.hpp"

#include <memory>
#include <string>
#include <utility>

namespace crosvisor {

/// Claims a CID from the other processes that use the same directory, then as `inner` does.
///
/// The claim is a write lock on one byte of the file `cids`, the one whose offset is the CID, and
/// lasts as long as its open file description (F_OFD_SETLK in fcntl(2)): the kernel gives it to one
/// process, and takes it back however that one ends. There is nothing to clean up, and nothing to
/// get wrong between two steps. A VM that outlives its process keeps its CID by its keeper's
/// record.
class shared_cids final : public io::cid_claimer {
public:
  /// @param directory the directory of the file, duplicated.
  /// @param kept_by the state directory of keepers that are another process's; empty: there are
  /// none.
  static io::result<std::shared_ptr<io::cid_claimer>>
  make(int directory, std::shared_ptr<io::cid_claimer> inner, std::string kept_by = {});

  shared_cids(io::unique_fd directory, std::shared_ptr<io::cid_claimer> inner,
              std::string kept_by = {})
      : directory_(std::move(directory)), inner_(std::move(inner)), kept_by_(std::move(kept_by)) {}

  /// The claim's pointer holds the lock also where it points to no descriptor.
  io::result<claim> claim_cid(vm_cid cid) override;

private:
  io::unique_fd directory_;
  std::shared_ptr<io::cid_claimer> inner_;
  std::string kept_by_;
};

} // namespace crosvisor
