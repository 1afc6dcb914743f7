#include "results/pairing.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "unmask/errors.hpp"

namespace unmask::results {
namespace {

using Key = std::vector<std::string>;
using Axes = std::vector<std::size_t>;

bool is_radius_axis(std::size_t axis) {
  return kAxes[axis] == "norm" || kAxes[axis] == "epsilon";
}

bool is_axis_of_attack(std::size_t axis) {
  return kAxes[axis] == "attack" || kAxes[axis] == "gradient" || kAxes[axis] == "source" ||
         kAxes[axis] == "seed";
}

std::set<std::string> values_of(const std::vector<AttackCell>& cells, std::size_t axis) {
  std::set<std::string> values;
  for (const AttackCell& cell : cells) values.insert(cell.labels[axis]);
  return values;
}

std::set<std::string> patterns_of(const Conditions& conditions, std::size_t axis) {
  std::set<std::string> patterns;
  for (const words::Condition& condition : conditions) {
    if (condition.axis == kAxes[axis]) patterns.insert(condition.pattern);
  }
  return patterns;
}

// Axes in which a pair may be unequal.
Axes axes_that_differ(const Side& a,
                      const Side& b,
                      const std::vector<AttackCell>& cells_a,
                      const std::vector<AttackCell>& cells_b) {
  Axes axes;
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    if (is_radius_axis(axis)) continue;
    const auto in_a = patterns_of(a.conditions, axis);
    const auto in_b = patterns_of(b.conditions, axis);
    const bool is_said = !in_a.empty() && !in_b.empty() && in_a != in_b;
    const auto values_a = values_of(cells_a, axis);
    const auto values_b = values_of(cells_b, axis);
    const bool is_throughout = values_a.size() == 1 && values_b.size() == 1 && values_a != values_b;
    if (is_said || is_throughout) axes.push_back(axis);
  }
  return axes;
}

// Two manifests may write one radius as 8/255 and as 0.0314: the value decides, to twelve digits.
std::string radius_text(const AttackCell& cell) {
  if (!cell.epsilon) return "";
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.12g", *cell.epsilon);
  return buffer;
}

Key key_of(const AttackCell& cell, const Axes& axes) {
  Key key;
  for (const std::size_t axis : axes) {
    key.push_back(kAxes[axis] == "epsilon" ? radius_text(cell) : cell.labels[axis]);
  }
  return key;
}

using Groups = std::map<Key, std::vector<const AttackCell*>>;

// Cells with a result by key, each once whatever names it has.
Groups group(const std::vector<AttackCell>& cells, const Axes& axes) {
  Groups groups;
  for (const AttackCell& cell : cells) {
    if (cell.state != "done") continue;
    auto& of_key = groups[key_of(cell, axes)];
    const auto same = std::find_if(of_key.begin(), of_key.end(), [&](const AttackCell* other) {
      return other->id == cell.id;
    });
    if (same == of_key.end()) of_key.push_back(&cell);
  }
  return groups;
}

std::string name_of(const AttackCell& cell, const Axes& axes) {
  return describe(cell.labels, axes);
}

void expect_one(const std::vector<const AttackCell*>& cells, const char* side, const Axes& equal) {
  if (cells.size() == 1) return;
  std::string text;
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    std::set<std::string> values;
    for (const AttackCell* cell : cells) values.insert(cell->labels[axis]);
    if (values.size() < 2) continue;
    text += "\n  " + std::string(kAxes[axis]) + ":";
    for (const std::string& value : values) text += " " + value;
  }
  throw UsageError(std::string(side) + " has " + std::to_string(cells.size()) +
                   " attacks where one is needed, at " + name_of(*cells.front(), equal) +
                   "; say which: they differ in" + text);
}

std::string why_no_partner(const AttackCell& cell,
                           const std::vector<AttackCell>& others,
                           const Axes& equal,
                           const char* other_side) {
  Axes without_radius;
  std::copy_if(
      equal.begin(), equal.end(), std::back_inserter(without_radius), [](std::size_t axis) {
        return !is_radius_axis(axis);
      });
  std::set<std::string> radii;
  for (const AttackCell& other : others) {
    if (key_of(other, without_radius) != key_of(cell, without_radius)) continue;
    if (key_of(other, equal) == key_of(cell, equal)) {
      return std::string(other_side) + " has it without a result (" + other.state + ")";
    }
    radii.insert(other.label("norm") + " " + other.label("epsilon"));
  }
  if (radii.empty()) return std::string(other_side) + " has none that agrees with it";
  std::string text;
  for (const std::string& radius : radii) text += (text.empty() ? "" : ", ") + radius;
  return "other radius: " + std::string(other_side) + " has it at " + text;
}

nlohmann::json data_of(const AttackCell& cell) {
  const nlohmann::json data = nlohmann::json::parse(cell.dataset);
  const auto content = data.find("content");
  return content == data.end() ? data : *content;
}

bool is_done(const AttackCell& cell) {
  return cell.state == "done";
}

// Axes in which the cells of a side are not all alike: enough to name one of them.
Axes axes_that_vary(const Pairing& pairing) {
  Axes axes;
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    if (values_of(pairing.cells_a, axis).size() > 1 ||
        values_of(pairing.cells_b, axis).size() > 1 || kAxes[axis] == "attack") {
      axes.push_back(axis);
    }
  }
  return axes;
}

void set_aside_partnerless(const std::vector<AttackCell>& cells,
                           const Groups& partners,
                           const std::vector<AttackCell>& others,
                           const Axes& equal,
                           const std::string& side,
                           Pairing& pairing) {
  const Axes told_apart = axes_that_vary(pairing);
  for (const AttackCell& cell : cells) {
    if (cell.is_alias) continue;
    const std::string what = side + ": " + name_of(cell, told_apart);
    if (!is_done(cell)) {
      pairing.aside.push_back({what, "no result (" + cell.state + ")"});
    } else if (!partners.contains(key_of(cell, equal))) {
      const char* other_side = side == "A" ? "B" : "A";
      pairing.aside.push_back({what, why_no_partner(cell, others, equal, other_side)});
    }
  }
}

// In the order of A's plan.
void pair_cells(const Axes& equal, Pairing& pairing) {
  const Groups groups_a = group(pairing.cells_a, equal);
  const Groups groups_b = group(pairing.cells_b, equal);
  set_aside_partnerless(pairing.cells_a, groups_b, pairing.cells_b, equal, "A", pairing);
  set_aside_partnerless(pairing.cells_b, groups_a, pairing.cells_a, equal, "B", pairing);
  for (const auto& [key, of_a] : groups_a) {
    const auto found = groups_b.find(key);
    if (found == groups_b.end()) continue;
    expect_one(of_a, "A", equal);
    expect_one(found->second, "B", equal);
    const AttackCell* a = of_a.front();
    const AttackCell* b = found->second.front();
    if (data_of(*a) != data_of(*b)) {
      pairing.aside.push_back({name_of(*a, equal), "other data: they saw other images"});
      continue;
    }
    pairing.pairs.push_back({a, b, name_of(*a, equal)});
  }
  std::sort(pairing.pairs.begin(), pairing.pairs.end(), [&](const auto& x, const auto& y) {
    return x.a < y.a;
  });
}

// What all attacks of a side do together, where both sides have one at the same radius.
void gather_threats(const Axes& equal, Pairing& pairing) {
  Axes of_network;
  std::copy_if(equal.begin(), equal.end(), std::back_inserter(of_network), [](std::size_t axis) {
    return !is_axis_of_attack(axis);
  });
  const Groups groups_a = group(pairing.cells_a, of_network);
  const Groups groups_b = group(pairing.cells_b, of_network);
  for (const auto& [key, of_a] : groups_a) {
    const auto found = groups_b.find(key);
    if (found == groups_b.end() || of_a.front()->epsilon.value_or(0) <= 0) continue;
    const nlohmann::json data = data_of(*of_a.front());
    const auto same_data = [&](const AttackCell* cell) { return data_of(*cell) == data; };
    const auto& of_b = found->second;
    if (!std::all_of(of_a.begin(), of_a.end(), same_data) ||
        !std::all_of(of_b.begin(), of_b.end(), same_data)) {
      continue;  // said of the pairs already
    }
    pairing.threats.push_back({of_a, of_b});
  }
  std::sort(pairing.threats.begin(), pairing.threats.end(), [](const auto& x, const auto& y) {
    return x.a.front() < y.a.front();
  });
}

std::vector<AttackCell> cells_of(const Side& side) {
  std::vector<AttackCell> cells = attack_cells(*side.store, Selection{{side.conditions}});
  if (cells.empty()) {
    throw UsageError("\"" + side.text +
                     "\" matches no attack of the database; \"unmask query cells\" lists them");
  }
  return cells;
}

}  // namespace

Pairing pair_up(const Side& a, const Side& b) {
  Pairing pairing;
  pairing.cells_a = cells_of(a);
  pairing.cells_b = cells_of(b);
  pairing.differ = axes_that_differ(a, b, pairing.cells_a, pairing.cells_b);
  Axes equal;
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    if (std::count(pairing.differ.begin(), pairing.differ.end(), axis) == 0) equal.push_back(axis);
  }
  pair_cells(equal, pairing);
  gather_threats(equal, pairing);
  return pairing;
}

}  // namespace unmask::results
