#pragma once
// What a terminal can show: its width, whether lines can be drawn again, and colours.

#include <string>
#include <string_view>

namespace unmask::base {

/// Columns to use for a descriptor: those that COLUMNS names, else those of the terminal, else 80.
int terminal_columns(int fd);

/// The descriptor is a terminal that understands how to move the cursor (TERM is not "dumb").
bool is_redrawable(int fd);

enum class ColorChoice { kAuto, kAlways, kNever };

/// "auto", "always", "never". @throws UsageError for anything else
ColorChoice parse_color_choice(const std::string& text);

/// What --color says; kAuto unless this was called. For the whole process, before it has threads.
void set_color_choice(ColorChoice choice);

/// Whether to colour what goes to a descriptor: as --color says; by itself on a terminal that is not
/// "dumb", unless NO_COLOR is set to anything but nothing (https://no-color.org).
bool wants_color(int fd);

enum class Color { kRed, kGreen, kYellow, kBlue, kBold };

/// The text in a colour where there are colours, else as it is.
std::string painted(std::string_view text, Color color, bool has_colors);

}  // namespace unmask::base
