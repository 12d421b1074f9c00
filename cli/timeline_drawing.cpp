// SPDX-License-Identifier: Apache-2.0
// A timeline, drawn.
#include "crosvisor/cli/timeline.hpp"

#include "crosvisor/io/config/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>

namespace crosvisor::cli {

namespace {

/// `12.345 ms`.
std::string milliseconds(std::int64_t us) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.3f ms", static_cast<double>(us) / 1000);
  return text.data();
}

std::string right(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

std::string left(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, text.size()), ' ');
}

std::string title_of(const start_timeline& of) {
  return "vm " + std::to_string(of.cid) + ' ' + io::printable(of.name);
}

/// `life 2: ready after 1580.000 ms`; of a VM's one life without its number.
std::string heading_of(const start_timeline& of, const timeline_life& life) {
  auto numbered = of.lives.size() > 1 || life.number > 1;
  auto text = numbered ? "life " + std::to_string(life.number) + ": " : std::string{};
  text += (life.end.empty() ? "goes on" : life.end) + " after " + milliseconds(life.took_us());
  if (life.cut_us > 0)
    text += ", without the " + milliseconds(life.cut_us) + " until it was to start";
  return text;
}

/// From where to where a bar goes of `room` places; one place at least.
std::pair<std::size_t, std::size_t> place(const timeline_life& life, const timeline_span& span,
                                          std::int64_t longest_us, std::size_t room) {
  auto at = [&](std::int64_t time_us) {
    auto part = static_cast<double>(std::max<std::int64_t>(0, life.drawn_at(time_us)))
                / static_cast<double>(longest_us);
    return std::min(room, static_cast<std::size_t>(part * static_cast<double>(room) + 0.5));
  };
  auto begin = std::min(at(span.begin_us), room - 1);
  return {begin, std::max(at(span.end_us), begin + 1)};
}

struct widths {
  std::size_t name = 4, from = 4, took = 4;
};

widths widths_of(const start_timeline& of) {
  widths all;
  for (const auto& life : of.lives)
    for (const auto& span : life.spans) {
      all.name = std::max(all.name, io::printable(span.name).size());
      all.from = std::max(all.from, milliseconds(life.drawn_at(span.begin_us)).size());
      all.took = std::max(all.took, milliseconds(span.took_us()).size());
    }
  return all;
}

void escape(std::string& to, std::string_view text) {
  for (auto c : text) {
    switch (c) {
      case '&': to += "&amp;"; break;
      case '<': to += "&lt;"; break;
      case '>': to += "&gt;"; break;
      case '"': to += "&quot;"; break;
      default: to += c;
    }
  }
}

std::string svg_text(std::size_t x, std::size_t y, const std::string& words,
                     const char* anchor = "start") {
  auto text = "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" text-anchor=\""
              + anchor + "\">";
  escape(text, words);
  return text + "</text>\n";
}

/// Dark enough for black words beside them, and told apart by those who see no colours by the
/// words.
constexpr std::array colours{"#4e79a7", "#f28e2b", "#59a14f", "#e15759",
                             "#76b7b2", "#edc948", "#b07aa1", "#9c755f"};

/// In pixels.
constexpr std::size_t picture_width = 900, line_height = 20, bars_x = 320, margin = 12;

std::string svg_bar(const start_timeline& of, const timeline_life& life, const timeline_span& span,
                    std::size_t y, std::size_t number) {
  auto [begin, end] = place(life, span, of.longest_us(), picture_width - bars_x - margin);
  auto text = svg_text(margin, y, io::printable(span.name));
  text += svg_text(bars_x - 120, y, milliseconds(life.drawn_at(span.begin_us)), "end");
  text += svg_text(bars_x - margin, y, milliseconds(span.took_us()), "end");
  text += "<rect x=\"" + std::to_string(bars_x + begin) + "\" y=\"" + std::to_string(y - 12)
          + "\" width=\"" + std::to_string(end - begin) + "\" height=\"14\" fill=\""
          + colours[number % colours.size()] + (span.open ? "\" opacity=\"0.5" : "") + "\"><title>";
  escape(text, io::printable(span.name) + ": " + milliseconds(span.took_us()));
  return text + "</title></rect>\n";
}

} // namespace

std::string timeline_text(const start_timeline& of, std::size_t columns) {
  constexpr std::size_t gap = 2, least = 60;
  auto width = widths_of(of);
  auto before = width.name + width.from + width.took + 3 * gap;
  auto room = std::max({columns, least, before + 10}) - before;
  auto text = title_of(of) + '\n';
  if (!of.is_whole)
    text += "its first events are not kept any more\n";
  for (const auto& life : of.lives) {
    text += heading_of(of, life) + '\n';
    text += left("STEP", width.name + gap) + right("FROM", width.from)
            + right("TOOK", width.took + gap) + '\n';
    for (const auto& span : life.spans) {
      auto [begin, end] = place(life, span, of.longest_us(), room);
      text += left(io::printable(span.name), width.name + gap)
              + right(milliseconds(life.drawn_at(span.begin_us)), width.from)
              + right(milliseconds(span.took_us()), width.took + gap)
              + std::string(gap + begin, ' ') + std::string(end - begin, span.open ? '-' : '#')
              + '\n';
    }
  }
  return text;
}

std::string timeline_svg(const start_timeline& of) {
  std::size_t y = margin + line_height;
  std::string body = svg_text(margin, y, title_of(of));
  for (const auto& life : of.lives) {
    body += svg_text(margin, y += line_height, heading_of(of, life));
    for (std::size_t i = 0; i < life.spans.size(); ++i)
      body += svg_bar(of, life, life.spans[i], y += line_height, i);
  }
  auto height = std::to_string(y + margin), width = std::to_string(picture_width);
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\""
         + width + "\" height=\"" + height + "\" viewBox=\"0 0 " + width + ' ' + height
         + "\" font-family=\"monospace\" font-size=\"12\">\n"
           "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
         + body + "</svg>\n";
}

} // namespace crosvisor::cli
