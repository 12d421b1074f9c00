// SPDX-License-Identifier: Apache-2.0
// The arguments of the commands that make and show images.
#include "crosvisor/cli/argument_checks.hpp"
#include "crosvisor/cli/argument_parts.hpp"

namespace crosvisor::cli {

namespace {

constexpr const char* create_partition_footer = R"(
Examples:
  crosvisor create-partition data.img 10M
  crosvisor create-partition instance.img 10M --type instance

The size is rounded up to 4096 bytes. A file that is there is never touched.)";

constexpr const char* create_idsig_footer = R"(
An example:
  crosvisor create-idsig app.apk app.apk.idsig

A digest that is of this APK already is left untouched.)";

constexpr const char* create_composite_footer = R"(
An example:
  crosvisor create-composite disk.img boot:boot.img data:data.img:writable

Makes disk.img, disk.img.header, disk.img.footer and disk.img.filler, which name the
partitions' files by absolute path. crosvm opens the disk itself; every other program
does through `nbdkit composite disk.img`.)";

constexpr const char* inspect_footer = R"(
Examples:
  crosvisor inspect disk.img -o json
  crosvisor inspect app.apk.idsig --apk app.apk

Knows composite disks, GPTs, qcow2, Android sparse images, APKs, idsigs, instance images,
encrypted stores and payload metadata. Opens what a composite disk names, with your rights.
Ends with 0 for a sound file, 1 where there are problems, 2 where it can't be opened.)";

constexpr const char* push_footer = R"(
Examples:
  crosvisor image push disk.img
  crosvisor image push build/app-release.apk app.apk

Without NAME the image is called as the file is. The file is checked by its SHA-256. What was
begun of it, by a command that was killed or lost its daemon, goes on where it ended.)";

constexpr const char* pull_footer = R"(
Examples:
  crosvisor image pull disk.img
  crosvisor image pull disk.img - | sha256sum

Without FILE the file is called as the image is; `-` is standard output. A file that is there is
never touched.)";

constexpr const char* image_list_footer = R"(
Examples:
  crosvisor image list
  crosvisor image list -o jsonl

Shows one's own, and with the permission "debug" everybody's. An image that a VM wrote to, or that
was made in the store, has no checksum.)";

constexpr const char* remove_footer = R"(
An example:
  crosvisor image remove disk.img app.apk

An image that a VM has is not removed.)";

} // namespace

void add_arguments(CLI::App& app, image_push_arguments& target) {
  app.footer(push_footer);
  app.add_option("FILE", target.path, "The file to store")->required()->type_name("FILE");
  add_checked(app, "NAME", "NAME", "What the image is called", image_word(target.name));
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, image_pull_arguments& target) {
  app.footer(pull_footer);
  add_checked(app, "IMAGE", "IMAGE", "The image to fetch", image_word(target.name))->required();
  app.add_option("FILE", target.path, "The file to make")->type_name("FILE|-");
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, image_list_arguments& target) {
  app.footer(image_list_footer);
  add_output_format(app, target.output);
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, image_remove_arguments& target) {
  app.footer(remove_footer);
  app.add_option("IMAGE", target.names, "The images to remove")
    ->required()
    ->type_name("IMAGE...")
    ->transform(CLI::Validator{[](std::string& text) {
                                 std::string name;
                                 auto problem = image_word(name)(text);
                                 if (problem.empty())
                                   text = name;
                                 return problem;
                               },
                               ""});
  add_connect(app, target.connect);
}

std::optional<usage_error> complete(image_push_arguments& arguments) {
  if (!arguments.name.empty())
    return std::nullopt;
  auto slash = arguments.path.rfind('/');
  auto file = slash == std::string::npos ? arguments.path : arguments.path.substr(slash + 1);
  auto problem = image_word(arguments.name)(file);
  if (problem.empty())
    return std::nullopt;
  return usage_error{problem + "; give a NAME behind the file"};
}

std::optional<usage_error> complete(image_pull_arguments& arguments) {
  if (arguments.path.empty())
    arguments.path = arguments.name;
  return std::nullopt;
}

void add_arguments(CLI::App& app, create_partition_arguments& target) {
  app.footer(create_partition_footer);
  app.add_option("PATH", target.path, "The file to make")->required()->type_name("FILE");
  add_checked(app, "SIZE", "SIZE[K|M|G|T]", "Its size in bytes",
              byte_size(max_partition_bytes, target.spec.size_bytes))
    ->required();
  add_checked(app, "-t,--type", "raw|qcow2|instance|encryptedstore", "What it is to hold (raw)",
              word("raw, qcow2, instance, encryptedstore", parse_partition_type, target.spec.type));
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, create_idsig_arguments& target) {
  app.footer(create_idsig_footer);
  app.add_option("APK", target.apk, "The file to digest")->required()->type_name("FILE");
  app.add_option("IDSIG", target.idsig, "Where the digest goes")->required()->type_name("FILE");
  app.add_flag("--allow-unsigned", target.allow_unsigned,
               "Digest a file without a signature of scheme v3, too");
  add_connect(app, target.connect);
}

void add_arguments(CLI::App& app, create_composite_arguments& target) {
  app.footer(create_composite_footer);
  app.add_option("OUT", target.path, "The disk to make")->required()->type_name("FILE");
  app.add_option("PARTITION", target.partitions, "The partitions, in their order")
    ->required()
    ->type_name("LABEL:FILE[:writable][:GUID]");
}

void add_arguments(CLI::App& app, inspect_arguments& target) {
  app.footer(inspect_footer);
  app.add_option("FILE", target.path, "The file to look at")->required()->type_name("FILE");
  app.add_option("--apk", target.apk, "Whether an idsig fits this APK")->type_name("APK");
  add_output_format(app, target.output);
}

} // namespace crosvisor::cli
