// SPDX-License-Identifier: Apache-2.0
#include "crosvisor/cli/commands.hpp"
#include "crosvisor/cli/exit_code.hpp"
#include "crosvisor/cli/inspected_file.hpp"
#include "crosvisor/cli/print.hpp"
#include "crosvisor/io/config/printable.hpp"

#include <unistd.h>

namespace crosvisor::cli {

namespace {

int show(const inspection& found, const inspected_file& file, output_format how) {
  auto report = report_of(found, file.path, file.size_bytes);
  auto printed =
    print(how == output_format::table ? report_table(report, term::of(STDOUT_FILENO))
                                      : report_json(report, how == output_format::json));
  return printed == done && !found.problems.empty() ? static_cast<int>(failed) : printed;
}

} // namespace

int inspect(const inspect_arguments& arguments) {
  auto file = inspected_file::open(arguments.path);
  if (!file)
    return complain(usage, file.why().what);
  if (arguments.apk.empty())
    return show(inspect_file(*file), *file, arguments.output);
  auto apk = inspected_file::open(arguments.apk);
  if (!apk)
    return complain(usage, apk.why().what);
  auto found = inspect_file(*file);
  if (found.format != "idsig")
    return complain(usage, io::printable(arguments.path, 4096) + ": is no idsig but " + found.format
                             + "; only an idsig is held against an APK");
  compare_with_apk(*file, *apk, found);
  return show(found, *file, arguments.output);
}

} // namespace crosvisor::cli
