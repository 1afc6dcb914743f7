#include "wire/failure_class.hpp"

#include <algorithm>
#include <array>

namespace unmask::wire {
namespace {

// What a plugin threw, a time limit and numbers that are not finite come again: no retry. The memory
// that was short may belong to the neighbours.
constexpr std::array<FailureRule, 7> kRules = {
    {{FailureClass::kPluginError, "plugin_error", true, 0, false},
     {FailureClass::kCrash, "crash", false, 1, false},
     {FailureClass::kTimeout, "timeout", false, 0, false},
     {FailureClass::kOutOfMemory, "oom", true, 1, true},
     {FailureClass::kDeviceFault, "device_fault", true, 1, false},
     {FailureClass::kInvalid, "invalid", true, 0, false},
     {FailureClass::kInterrupted, "interrupted", false, 0, false}}};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (static_cast<std::size_t>(kRules[i].failure_class) != i) return false;
  }
  return true;
}
static_assert(is_in_order(), "rule_of() takes the class for the row");

}  // namespace

std::span<const FailureRule> failure_rules() {
  return kRules;
}

const FailureRule& rule_of(FailureClass failure_class) {
  return kRules.at(static_cast<std::size_t>(failure_class));
}

const char* to_string(FailureClass failure_class) {
  return rule_of(failure_class).name;
}

std::optional<FailureClass> parse_failure_class(std::string_view name) {
  const auto found = std::find_if(
      kRules.begin(), kRules.end(), [&](const FailureRule& rule) { return rule.name == name; });
  if (found == kRules.end()) return std::nullopt;
  return found->failure_class;
}

bool may_be_retried(FailureClass failure_class) {
  return failure_class != FailureClass::kInterrupted;
}

int retries_of(FailureClass failure_class, const RetryLimits& limits) {
  const auto asked = limits.find(failure_class);
  return asked == limits.end() ? rule_of(failure_class).retries : asked->second;
}

void to_json(nlohmann::json& j, FailureClass failure_class) {
  j = to_string(failure_class);
}

void from_json(const nlohmann::json& j, FailureClass& failure_class) {
  const auto& name = j.get_ref<const std::string&>();
  const auto found = parse_failure_class(name);
  if (!found) {
    throw nlohmann::json::other_error::create(
        501, "there is no failure class \"" + name + "\"", &j);
  }
  failure_class = *found;
}

}  // namespace unmask::wire
