// SPDX-License-Identifier: Apache-2.0
// The table at the end: each figure, its rival of the same run, and its target.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace crosvisor::bench {

class summary {
public:
  struct row {
    std::string figure;
    std::string ours;
    std::string rival;      ///< Its name and its value; empty: there is none.
    std::string comparison; ///< A difference or a ratio; empty without a rival.
    std::string target;     ///< Empty: there is none.
    bool met = false;       ///< Of a row with a target.
  };

  void add(row what) { rows_.push_back(std::move(what)); }

  /// What has to be known to read the figures; printed below them.
  void note(std::string text) { notes_.push_back(std::move(text)); }

  void print(std::ostream& out) const;

private:
  std::vector<row> rows_;
  std::vector<std::string> notes_;
};

/// `1.23 ms`, in the unit that fits.
std::string duration_text(double seconds);

/// The same with a sign.
std::string difference_text(double seconds);

/// `83 %`.
std::string ratio_text(double ours, double rival);

/// `812 VMs/s`.
std::string rate_text(double per_second, const std::string& of = "VMs");

/// `12.3 KiB`.
std::string kib_text(double bytes);

} // namespace crosvisor::bench
