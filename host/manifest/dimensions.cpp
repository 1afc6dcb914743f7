#include "manifest/dimensions.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/counted.hpp"
#include "manifest/keys.hpp"

namespace unmask::manifest::matrix {
namespace {

// The list of one axis in a zip group.
struct ZippedList {
  std::size_t axis;
  std::string key;
  const Node* node;
};

class MatrixReader {
 public:
  MatrixReader(Scope zip_scope, AxisValues& values)
      : zip_scope_(zip_scope),
        values_(values),
        context_(values.context()),
        given_(context_.axes.size(), false) {}

  std::vector<Dimension> read(const Node& matrix);

 private:
  std::optional<std::size_t> axis_of(const std::string& key) const;
  bool claim(std::size_t axis, const Node& node);
  void read_zip(const Node& group);
  bool have_equal_length(const std::vector<ZippedList>& lists);
  std::vector<std::vector<AxisValue>> tuples_at(std::size_t place,
                                                const std::vector<ZippedList>& lists);

  Scope zip_scope_;
  AxisValues& values_;
  StageContext& context_;
  std::vector<bool> given_;  // by axis
  std::vector<Dimension> out_;
};

Dimension read_axis(std::size_t axis, const Node& node, AxisValues& values) {
  Dimension out{{axis}, {}};
  for (const AxisValue value : values.read(axis, node)) out.tuples.push_back({value});
  return out;
}

std::vector<Dimension> MatrixReader::read(const Node& matrix) {
  for (const Member& member : matrix.members) {
    if (is_ignored_key(member.key)) continue;
    if (member.key == "zip") {
      for (const Node* group : items_of(member.value)) read_zip(*group);
      continue;
    }
    const auto axis = axis_of(member.key);
    if (axis && claim(*axis, member.value)) {
      out_.push_back(read_axis(*axis, member.value, values_));
    }
  }
  return std::move(out_);
}

std::optional<std::size_t> MatrixReader::axis_of(const std::string& key) const {
  const auto axis = context_.axis_index(key);
  return axis && context_.axes[*axis].in_matrix ? axis : std::nullopt;
}

// An axis stands at one place only.
bool MatrixReader::claim(std::size_t axis, const Node& node) {
  if (!given_[axis]) {
    given_[axis] = true;
    return true;
  }
  context_.taint();
  context_.reporter.at_key(code::kZip,
                           node,
                           "axis \"" + std::string(context_.axes[axis].name) + "\" is given twice",
                           "an axis stands either in the matrix or in one zip group");
  return false;
}

void MatrixReader::read_zip(const Node& group) {
  Reporter& reporter = context_.reporter;
  if (!expect(group, Node::Kind::kObject, "a zip group", reporter)) {
    context_.taint();
    return;
  }
  check_keys(group, zip_scope_, reporter);
  std::vector<ZippedList> lists;
  std::size_t named = 0;
  for (const Member& member : group.members) {
    const auto axis = axis_of(member.key);
    if (!axis || is_ignored_key(member.key)) continue;
    ++named;
    if (!claim(*axis, member.value)) continue;
    if (!expect(member.value, Node::Kind::kArray, "an axis of a zip group", reporter)) {
      context_.taint();
      continue;
    }
    lists.push_back({*axis, member.key, &member.value});
  }
  if (lists.size() < 2) {
    context_.taint();
    if (named < 2) reporter.at_value(code::kZip, group, "a zip group needs at least two axes");
    return;
  }
  if (!have_equal_length(lists)) {
    context_.taint();
    return;
  }
  Dimension dimension;
  for (const ZippedList& list : lists) dimension.axes.push_back(list.axis);
  for (std::size_t place = 0; place < lists[0].node->items.size(); ++place) {
    const auto tuples = tuples_at(place, lists);
    dimension.tuples.insert(dimension.tuples.end(), tuples.begin(), tuples.end());
  }
  out_.push_back(std::move(dimension));
}

bool MatrixReader::have_equal_length(const std::vector<ZippedList>& lists) {
  const ZippedList& first = lists[0];
  const std::size_t length = first.node->items.size();
  bool is_good = length > 0;
  if (!is_good) {
    context_.reporter.at_value(
        code::kZip, *first.node, "\"" + first.key + "\" of a zip group is empty");
  }
  for (const ZippedList& list : lists) {
    if (list.node->items.size() == length) continue;
    is_good = false;
    context_.reporter.at_value(code::kZip,
                               *list.node,
                               "the axes of a zip group differ in length: \"" + first.key +
                                   "\" has " + base::counted(length, "value") + ", \"" + list.key +
                                   "\" has " + std::to_string(list.node->items.size()),
                               "values at the same place belong together");
  }
  return is_good;
}

// What the entries at one place stand for: with globs, all combinations of their values.
std::vector<std::vector<AxisValue>> MatrixReader::tuples_at(std::size_t place,
                                                            const std::vector<ZippedList>& lists) {
  std::vector<std::vector<AxisValue>> tuples{{}};
  for (const ZippedList& list : lists) {
    std::vector<std::vector<AxisValue>> longer;
    for (const AxisValue value : values_.read_entry(list.axis, list.node->items[place])) {
      for (const auto& tuple : tuples) {
        longer.push_back(tuple);
        longer.back().push_back(value);
      }
    }
    tuples = std::move(longer);
  }
  return tuples;
}

}  // namespace

std::vector<Dimension> read_matrix_dimensions(const Node& matrix,
                                              Scope zip_scope,
                                              AxisValues& values) {
  return MatrixReader(zip_scope, values).read(matrix);
}

std::vector<Dimension> read_cell_dimensions(const Node& cell, AxisValues& values) {
  std::vector<Dimension> out;
  for (const Member& member : cell.members) {
    const auto axis = values.context().axis_index(member.key);
    if (!axis || is_ignored_key(member.key)) continue;
    out.push_back(read_axis(*axis, member.value, values));
  }
  return out;
}

bool has_axis(const std::vector<Dimension>& dimensions, std::size_t axis) {
  return std::any_of(dimensions.begin(), dimensions.end(), [&](const Dimension& d) {
    return std::find(d.axes.begin(), d.axes.end(), axis) != d.axes.end();
  });
}

bool mentions(const Node& matrix, std::string_view axis) {
  if (matrix.find(axis) != nullptr) return true;
  const Node* zip = matrix.find("zip");
  if (zip == nullptr) return false;
  for (const Node* group : items_of(*zip)) {
    if (group->find(axis) != nullptr) return true;
  }
  return false;
}

std::vector<Dimension> projected(const std::vector<Dimension>& dimensions,
                                 const std::vector<std::size_t>& axes) {
  std::vector<Dimension> out;
  for (const Dimension& dimension : dimensions) {
    std::vector<std::size_t> places;
    Dimension part;
    for (std::size_t i = 0; i < dimension.axes.size(); ++i) {
      if (std::find(axes.begin(), axes.end(), dimension.axes[i]) == axes.end()) continue;
      places.push_back(i);
      part.axes.push_back(dimension.axes[i]);
    }
    if (places.empty()) continue;
    std::unordered_set<std::string> seen;
    for (const auto& tuple : dimension.tuples) {
      std::vector<AxisValue> values;
      values.reserve(places.size());
      for (const std::size_t place : places) values.push_back(tuple[place]);
      const std::string bytes(reinterpret_cast<const char*>(values.data()),
                              sizeof(AxisValue) * values.size());
      if (seen.insert(bytes).second) part.tuples.push_back(std::move(values));
    }
    out.push_back(std::move(part));
  }
  return out;
}

}  // namespace unmask::manifest::matrix
