#include "cli/retry_option.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

constexpr int kMostRetries = 100;

std::optional<int> count_of(std::string_view text) {
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return count >= 0 && count <= kMostRetries ? std::optional(count) : std::nullopt;
}

[[noreturn]] void refuse(std::string_view text) {
  std::string names;
  for (const wire::FailureRule& rule : wire::failure_rules()) {
    if (wire::may_be_retried(rule.failure_class)) names += std::string(", ") + rule.name;
  }
  throw UsageError("--retry \"" + std::string(text) + "\" is neither a number from 0 to " +
                   std::to_string(kMostRetries) + " nor CLASS=NUMBER; classes: all" + names);
}

void take(std::string_view text, wire::RetryLimits& limits) {
  const std::size_t equals = text.find('=');
  const std::string_view name = equals == text.npos ? "" : text.substr(0, equals);
  const auto count = count_of(equals == text.npos ? text : text.substr(equals + 1));
  const auto asked = wire::parse_failure_class(name);
  const bool is_one = asked && wire::may_be_retried(*asked);
  if (!count || (equals != text.npos && name != "all" && !is_one)) refuse(text);
  for (const wire::FailureRule& rule : wire::failure_rules()) {
    if (!wire::may_be_retried(rule.failure_class)) continue;
    const bool is_meant =
        equals == text.npos ? rule.retries > 0 : name == "all" || name == rule.name;
    if (is_meant) limits[rule.failure_class] = *count;
  }
}

}  // namespace

wire::RetryLimits parse_retries(const std::vector<std::string>& texts) {
  wire::RetryLimits limits;
  for (const std::string& text : texts) {
    for (std::size_t first = 0; first <= text.size();) {
      const std::size_t last = std::min(text.find(',', first), text.size());
      take(std::string_view(text).substr(first, last - first), limits);
      first = last + 1;
    }
  }
  return limits;
}

std::string default_retries_text() {
  std::string text;
  for (const wire::FailureRule& rule : wire::failure_rules()) {
    if (rule.retries == 0) continue;
    text +=
        (text.empty() ? "" : ", ") + std::string(rule.name) + " " + std::to_string(rule.retries);
  }
  return text;
}

}  // namespace unmask::cli
