#include "base/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#include "unmask/errors.hpp"

namespace unmask::base {
namespace {

constexpr int kUsualColumns = 80;
constexpr int kMostColumns = 10'000;

ColorChoice g_color_choice = ColorChoice::kAuto;

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  return value == nullptr ? std::string_view() : std::string_view(value);
}

bool is_dumb() {
  const std::string_view kind = variable("TERM");
  return kind.empty() || kind == "dumb";
}

const char* code_of(Color color) {
  switch (color) {
    case Color::kRed: return "31";
    case Color::kGreen: return "32";
    case Color::kYellow: return "33";
    case Color::kBlue: return "34";
    case Color::kBold: return "1";
  }
  throw InternalError("a colour without a code");
}

}  // namespace

int terminal_columns(int fd) {
  const std::string_view text = variable("COLUMNS");
  int columns = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), columns);
  if (error == std::errc() && end == text.data() + text.size() && columns > 0 &&
      columns <= kMostColumns) {
    return columns;
  }
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kUsualColumns;
}

bool is_redrawable(int fd) {
  return ::isatty(fd) == 1 && !is_dumb();
}

ColorChoice parse_color_choice(const std::string& text) {
  if (text == "auto") return ColorChoice::kAuto;
  if (text == "always") return ColorChoice::kAlways;
  if (text == "never") return ColorChoice::kNever;
  throw UsageError("--color is auto, always or never, not \"" + text + "\"");
}

void set_color_choice(ColorChoice choice) {
  g_color_choice = choice;
}

bool wants_color(int fd) {
  if (g_color_choice != ColorChoice::kAuto) return g_color_choice == ColorChoice::kAlways;
  return variable("NO_COLOR").empty() && is_redrawable(fd);
}

std::string painted(std::string_view text, Color color, bool has_colors) {
  if (!has_colors) return std::string(text);
  return "\x1b[" + std::string(code_of(color)) + "m" + std::string(text) + "\x1b[0m";
}

}  // namespace unmask::base
