// SPDX-License-Identifier: Apache-2.0
// crosvisor-pages: makes of the pages in docs/, and of what reads the commands, manual pages and
// the book. It is no part of an installation.
#include "crosvisor/cli/argument_parts.hpp"
#include "crosvisor/docs/pages/command_pages.hpp"
#include "crosvisor/docs/pages/markdown.hpp"
#include "crosvisor/docs/pages/navigation.hpp"
#include "crosvisor/service/daemon/daemon_arguments.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace {

using namespace crosvisor;
using namespace crosvisor::pages;
namespace fs = std::filesystem;

constexpr const char* usage =
  "usage: crosvisor-pages man FRAME DOCS   a manual page, as Markdown for lowdown(1)\n"
  "       crosvisor-pages book DOCS OUT    the book for mkdocs, in a folder\n"
  "       crosvisor-pages options          every command and option of crosvisor and crosvisord\n";

constexpr std::string_view commands_mark = "<!-- commands -->";
constexpr std::string_view section_mark = "<!-- section ";
constexpr std::string_view intro_mark = "<!-- intro ";
constexpr std::string_view mark_end = " -->";

lines commands() {
  lines all;
  cli::visit_program([&](const CLI::App& program) { all = command_sections(program); });
  return all;
}

void append(lines& to, const lines& what) {
  to.insert(to.end(), what.begin(), what.end());
}

/// What stands between a mark and its end.
std::string words_of(const std::string& line, std::string_view mark) {
  return line.substr(mark.size(), line.size() - mark.size() - mark_end.size());
}

// -- manual pages --------------------------------------------------------------

/// A section as one of a manual page's: one level up, its heading in capitals.
lines lifted(lines section) {
  for_text_lines(section, [](std::string& line) {
    if (line.starts_with("##"))
      line.erase(0, 1);
    if (line.starts_with("# "))
      std::transform(line.begin(), line.end(), line.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  });
  return section;
}

/// What stands in a manual page for a link: its text, or the name of another manual page where the
/// text is the name of that one's file.
std::string without_link(const std::string& text, const std::string& target) {
  constexpr std::pair<std::string_view, const char*> pages[] = {
    {"cli.md", "crosvisor(1)"},
    {"configuration.md", "crosvisor-vm.json(5)"},
    {"composite-disks.md", "nbdkit-composite-plugin(1)"},
    {"daemon.md#bounds", "crosvisor.json(5)"},
    {"daemon.md", "crosvisord(8)"},
    {"vsock-device.md", "crosvisor-vsock(8)"},
  };
  for (const auto& [page, name] : pages)
    if (target == page && target.starts_with(text))
      return name;
  return text;
}

/// What a line of a frame stands for: `<!-- intro FILE -->`, `<!-- section FILE HEADING -->`,
/// `<!-- commands -->`, or itself.
lines expanded(const std::string& line, const fs::path& docs) {
  if (line == commands_mark)
    return commands();
  if (line.starts_with(intro_mark))
    return intro_of(read_lines(docs / words_of(line, intro_mark)));
  if (!line.starts_with(section_mark))
    return {line};
  auto words = words_of(line, section_mark);
  auto space = words.find(' ');
  if (space == std::string::npos)
    throw std::runtime_error{line + ": no heading"};
  auto page = read_lines(docs / words.substr(0, space));
  return lifted(section_of(page, words.substr(space + 1)));
}

void write_man(const fs::path& frame, const fs::path& docs) {
  lines page;
  for (const auto& line : read_lines(frame))
    append(page, expanded(line, docs));
  page = with_lists_for_tables(page);
  for_text_lines(page, [](std::string& line) { line = with_links(line, without_link); });
  for (const auto& line : page)
    std::cout << line << '\n';
}

// -- the book ------------------------------------------------------------------

void write_lines(const fs::path& path, const lines& all) {
  std::ofstream file{path};
  for (const auto& line : all)
    file << line << '\n';
  if (!file.flush())
    throw std::runtime_error{path.string() + ": can't be written"};
}

/// Puts a file that a page links to, and that is no page, into the book.
void add_source(const fs::path& from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  fs::copy_file(from, to, fs::copy_options::overwrite_existing);
}

/// A row of a table as MkDocs wants it, which takes a bar in a code span for one without a
/// backslash, and shows the backslash.
std::string without_escapes(std::string row) {
  bool code = false;
  for (std::size_t i = 0; i < row.size(); ++i) {
    code ^= row[i] == '`';
    if (code && row.compare(i, 2, "\\|") == 0)
      row.erase(i, 1);
  }
  return row;
}

/// Has links that lead out of the folder of pages lead into the book.
class book_writer {
public:
  book_writer(fs::path docs, fs::path out)
      : docs_(fs::canonical(docs)), root_(docs_.parent_path()), out_(std::move(out)) {}

  void write(const fs::path& page) {
    auto text = read_lines(docs_ / page);
    for_text_lines(text, [&](std::string& line) {
      line = with_links(line, [&](const std::string& words, const std::string& target) {
        return '[' + title_for(words, target, page) + "](" + placed(target, page) + ')';
      });
      if (line.starts_with('|'))
        line = without_escapes(std::move(line));
    });
    fs::create_directories((out_ / page).parent_path());
    lines made;
    for (const auto& line : text)
      append(made, line == commands_mark ? commands() : lines{line});
    write_lines(out_ / page, made);
  }

private:
  /// A page's title where a link's text is the name of the page's file.
  std::string title_for(const std::string& words, const std::string& target,
                        const fs::path& page) const {
    if (!words.ends_with(".md") || target.substr(0, target.find('#')) != words)
      return words;
    auto title = read_lines(docs_ / page.parent_path() / words).at(0);
    return title.starts_with("# ") ? title.substr(2) : words;
  }

  std::string placed(const std::string& target, const fs::path& page) {
    auto is_elsewhere = target.starts_with('#') || target.find("://") != std::string::npos;
    auto path = (docs_ / page.parent_path() / target).lexically_normal();
    auto inner = path.lexically_relative(docs_);
    if (is_elsewhere || *inner.begin() != "..")
      return target;
    auto place = "source" / path.lexically_relative(root_);
    add_source(path, out_ / place);
    return place.lexically_relative(page.parent_path()).string();
  }

  fs::path docs_, root_, out_;
};

void write_book(const fs::path& docs, const fs::path& out) {
  book_writer writer{docs, out / "pages"};
  fs::create_directories(out);
  write_lines(out / "mkdocs.yml", with_pages(read_lines(docs / "book.yml"), docs));
  for (const char* folder : {"", "decisions"})
    for (const auto& entry : fs::directory_iterator{docs / folder})
      if (entry.path().extension() == ".md" && entry.is_regular_file())
        writer.write(folder / entry.path().filename());
}

void write_options() {
  auto write = [](const CLI::App& program) {
    for (const auto& words : command_words(program))
      std::cout << words << '\n';
  };
  cli::visit_program(write);
  visit_daemon_program(write);
}

int run(const lines& arguments) {
  auto is = [&](const char* command, std::size_t words) {
    return arguments.size() == words && arguments[0] == command;
  };
  if (is("man", 3))
    write_man(arguments[1], arguments[2]);
  else if (is("book", 3))
    write_book(arguments[1], arguments[2]);
  else if (is("options", 1))
    write_options();
  else {
    std::cerr << usage;
    return 2;
  }
  return std::cout.flush() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "crosvisor-pages: " << error.what() << '\n';
    return 1;
  }
}
