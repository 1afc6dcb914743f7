#include "manifest/grid.hpp"

#include "manifest/keys.hpp"
#include "manifest/matrix.hpp"

namespace unmask::manifest::matrix {
namespace {

std::string bytes_of(const Row& row) {
  return {reinterpret_cast<const char*>(row.data()), sizeof(AxisValue) * row.size()};
}

}  // namespace

void Grid::add_product(const std::vector<Dimension>& dimensions,
                       const Row& defaults,
                       const Node& where) {
  // In floating point, because the product of many long lists overflows an integer.
  double count = 1;
  for (const Dimension& dimension : dimensions) {
    count *= static_cast<double>(dimension.tuples.size());
  }
  if (count == 0) return;
  if (count + static_cast<double>(written_) > static_cast<double>(kMostRows)) {
    context_.taint();
    context_.reporter.at_key(code::kMatrixTooLarge,
                             where,
                             "the stage \"" + std::string(context_.name) + "\" has more than " +
                                 std::to_string(kMostRows) + " cells");
    return;
  }
  std::vector<std::size_t> at(dimensions.size(), 0);
  while (true) {
    Row row = defaults;
    for (std::size_t d = 0; d < dimensions.size(); ++d) {
      const auto& tuple = dimensions[d].tuples[at[d]];
      for (std::size_t i = 0; i < tuple.size(); ++i) row[dimensions[d].axes[i]] = tuple[i];
    }
    add_row(row);
    std::size_t d = dimensions.size();
    while (d > 0 && ++at[d - 1] == dimensions[d - 1].tuples.size()) at[--d] = 0;
    if (d == 0) return;
  }
}

void Grid::add_row(const Row& written) {
  ++written_;
  const Row row = normalize_(written);
  if (seen_.insert(bytes_of(row)).second) {
    rows_.push_back(row);
  } else {
    ++duplicates_;
  }
}

void add_cells(const Node& stage,
               Scope cell_scope,
               const Row& defaults,
               const CheckCell& check,
               AxisValues& values,
               Grid& grid) {
  StageContext& context = values.context();
  const Node* list = stage.find("add");
  if (list == nullptr) return;
  if (!expect(*list, Node::Kind::kArray, "\"add\"", context.reporter)) {
    context.taint();
    return;
  }
  for (const Node& cell : list->items) {
    if (!expect(cell, Node::Kind::kObject, "an added cell", context.reporter)) {
      context.taint();
      continue;
    }
    check_keys(cell, cell_scope, context.reporter);
    const std::vector<Dimension> dimensions = read_cell_dimensions(cell, values);
    Row row = defaults;
    if (check(cell, dimensions, row)) grid.add_product(dimensions, row, cell);
  }
}

bool require_keys(const Node& object,
                  std::initializer_list<const char*> keys,
                  const std::string& where,
                  StageContext& context) {
  bool is_good = true;
  for (const char* key : keys) {
    if (object.find(key) != nullptr) continue;
    is_good = false;
    context.taint();
    context.reporter.at_value(code::kMissingKey, object, where + " needs \"" + key + "\"");
  }
  return is_good;
}

}  // namespace unmask::manifest::matrix
