#pragma once
// The rows of a stage before its rules: multiplies dimensions, keeps each row once and counts those
// that collapse; and the "add" list, whose cells are small products of their own.

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "manifest/axes.hpp"
#include "manifest/dimensions.hpp"
#include "manifest/keys.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest::matrix {

class Grid {
 public:
  /// The meaning of a row; rows that mean the same are one.
  using Normalize = std::function<Row(const Row&)>;

  Grid(StageContext& context, Normalize normalize)
      : context_(context), normalize_(std::move(normalize)) {}
  Grid(const Grid&) = delete;
  Grid& operator=(const Grid&) = delete;
  ~Grid() = default;

  /// Add all combinations, the first dimension slowest, laid over `defaults`. Too many of them are
  /// reported at `where`, and none is added.
  void add_product(const std::vector<Dimension>& dimensions,
                   const Row& defaults,
                   const Node& where);

  const std::vector<Row>& rows() const { return rows_; }
  std::size_t duplicates() const { return duplicates_; }

 private:
  void add_row(const Row& written);

  StageContext& context_;
  Normalize normalize_;
  std::vector<Row> rows_;
  std::unordered_set<std::string> seen_;  // bytes of rows
  std::size_t written_ = 0;
  std::size_t duplicates_ = 0;
};

/// Tells whether an added cell is complete, or reports; may change its defaults.
using CheckCell = std::function<bool(const Node& cell, const std::vector<Dimension>&, Row&)>;

/// Add the cells of the "add" list of a stage, if it has one. Their values may be lists.
void add_cells(const Node& stage,
               Scope cell_scope,
               const Row& defaults,
               const CheckCell& check,
               AxisValues& values,
               Grid& grid);

/// True when `object` has these keys; else reports `where needs "key"` for each that is missing.
bool require_keys(const Node& object,
                  std::initializer_list<const char*> keys,
                  const std::string& where,
                  StageContext& context);

}  // namespace unmask::manifest::matrix
