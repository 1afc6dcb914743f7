#include "wire/labels.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>

namespace unmask::wire {
namespace {

std::string text_of(const LabelAxis& axis, const CellLabels& labels) {
  return std::visit(
      [&](const auto member) -> std::string {
        const auto& value = labels.*member;
        using Value = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::string>) {
          return value.empty() ? axis.absent : value;
        } else if constexpr (std::is_same_v<Value, std::int64_t>) {
          return std::to_string(value);
        } else {
          return value ? nlohmann::json(*value).dump() : axis.absent;
        }
      },
      axis.member);
}

std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void append_value(const std::string& value, std::string& text) {
  const bool is_plain = std::all_of(value.begin(), value.end(), [](const char c) {
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
  });
  if (is_plain) {
    text += '"';
    text += value;
    text += '"';
  } else {
    text += dump(value);
  }
}

void append_value(std::int64_t value, std::string& text) {
  text += std::to_string(value);
}

void append_value(const std::optional<double>& value, std::string& text) {
  text += value ? dump(*value) : "null";
}

// In the order of their columns, as objects have their members.
std::array<const LabelAxis*, kLabelAxes.size()> sorted_axes() {
  std::array<const LabelAxis*, kLabelAxes.size()> axes{};
  std::transform(kLabelAxes.begin(), kLabelAxes.end(), axes.begin(), [](const LabelAxis& axis) {
    return &axis;
  });
  std::sort(axes.begin(), axes.end(), [](const LabelAxis* a, const LabelAxis* b) {
    return std::string_view(a->column) < b->column;
  });
  return axes;
}

}  // namespace

std::vector<std::string> filter_axes() {
  std::vector<std::string> names = {"kind", "key"};
  for (const LabelAxis& axis : kLabelAxes) {
    for (const std::string name : axis.filter) {
      if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
      }
    }
  }
  return names;
}

std::optional<std::string> filter_value(const Cell& cell, const std::string& axis) {
  if (axis == "kind") return to_string(cell.kind);
  if (axis == "key") return cell.key;
  for (const LabelAxis& candidate : kLabelAxes) {
    if (candidate.filter.at(static_cast<std::size_t>(cell.kind)) == axis) {
      return text_of(candidate, cell.labels);
    }
  }
  return std::nullopt;
}

void append_json(const CellLabels& labels, std::string& text) {
  static const auto kSorted = sorted_axes();
  char before = '{';
  for (const LabelAxis* axis : kSorted) {
    text += before;
    text += '"';
    text += axis->column;
    text += "\":";
    std::visit([&](const auto member) { append_value(labels.*member, text); }, axis->member);
    before = ',';
  }
  text += '}';
}

void to_json(nlohmann::json& j, const CellLabels& labels) {
  j = nlohmann::json::object();
  for (const LabelAxis& axis : kLabelAxes) {
    std::visit(
        [&](const auto member) {
          const auto& value = labels.*member;
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::optional<double>>) {
            j[axis.column] = value ? nlohmann::json(*value) : nlohmann::json();
          } else {
            j[axis.column] = value;
          }
        },
        axis.member);
  }
}

void from_json(const nlohmann::json& j, CellLabels& labels) {
  for (const LabelAxis& axis : kLabelAxes) {
    std::visit(
        [&](const auto member) {
          const nlohmann::json& value = j.at(axis.column);
          using Value = std::decay_t<decltype(labels.*member)>;
          if constexpr (std::is_same_v<Value, std::optional<double>>) {
            labels.*member = value.is_null() ? Value() : Value(value.get<double>());
          } else {
            labels.*member = value.get<Value>();
          }
        },
        axis.member);
  }
}

}  // namespace unmask::wire
