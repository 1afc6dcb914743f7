#pragma once
// Numbers from text and back.

#include <optional>
#include <string>
#include <string_view>

namespace unmask::words {

/// The value of a ratio "8/255" (blanks around the stroke allowed); nullopt for any other text, a
/// zero denominator or a value that is not finite.
std::optional<double> parse_ratio(std::string_view text);

/// A plain finite decimal number, the whole of `text`.
std::optional<double> parse_decimal(std::string_view text);

/// Shortest decimal that reads back as the same double.
std::string number_text(double value);

}  // namespace unmask::words
