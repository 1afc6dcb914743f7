#include "text/conditions.hpp"

#include <algorithm>
#include <cstddef>

#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::words {

std::vector<Condition> parse_conditions(const std::string& text,
                                        const std::vector<std::string>& axes,
                                        const std::string& where) {
  std::vector<Condition> conditions;
  for (std::size_t first = 0; first <= text.size();) {
    const std::size_t last = std::min(text.find(',', first), text.size());
    const std::string part = text.substr(first, last - first);
    const std::size_t equals = part.find('=');
    const std::string complaint = where + "\"" + text + "\": ";
    if (equals == std::string::npos) {
      throw UsageError(complaint + "\"" + part + "\" is not axis=pattern");
    }
    const std::string axis = part.substr(0, equals);
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) {
      throw UsageError(complaint + "unknown axis \"" + axis + "\"\n" +
                       help_for_unknown(axis, axes, "axes"));
    }
    conditions.push_back({axis, part.substr(equals + 1)});
    first = last + 1;
  }
  return conditions;
}

}  // namespace unmask::words
