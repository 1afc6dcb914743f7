#include "manifest/checkpoints.hpp"

#include <string_view>

#include "manifest/text.hpp"

namespace unmask::manifest::matrix {

std::vector<AxisValue> Checkpoints::matching(const std::string& pattern) const {
  const bool whole = pattern.find('/') != std::string::npos;
  std::vector<AxisValue> out;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    const std::string_view text = texts_[i];
    if (glob_matches(pattern, whole ? text : text.substr(0, text.find('/')))) {
      out.push_back(static_cast<AxisValue>(i));
    }
  }
  return out;
}

std::vector<std::string> Checkpoints::models() const {
  std::vector<std::string> out;
  for (const std::string& text : texts_) {
    std::string model = text.substr(0, text.find('/'));
    if (out.empty() || out.back() != model) out.push_back(std::move(model));
  }
  return out;
}

}  // namespace unmask::manifest::matrix
