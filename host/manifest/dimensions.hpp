#pragma once
// The factors of a product: reads the axes and zip groups of a matrix, or the axes of an added
// cell, as dimensions that grid.hpp multiplies.

#include <cstddef>
#include <string_view>
#include <vector>

#include "manifest/axes.hpp"
#include "manifest/axis_values.hpp"
#include "manifest/keys.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest::matrix {

/// Axes that move together, and the values they take. A plain axis is a dimension of one axis.
struct Dimension {
  std::vector<std::size_t> axes;
  std::vector<std::vector<AxisValue>> tuples;
};

/// The dimensions of a matrix in the order in which they are written. A zip group that is wrong is
/// reported and left out; an axis that is wrong stays, without values.
std::vector<Dimension> read_matrix_dimensions(const Node& matrix,
                                              Scope zip_scope,
                                              AxisValues& values);

/// The dimensions of one entry of "add".
std::vector<Dimension> read_cell_dimensions(const Node& cell, AxisValues& values);

bool has_axis(const std::vector<Dimension>& dimensions, std::size_t axis);

/// True when the matrix names the axis, itself or in a zip group. Its dimension may be missing
/// nevertheless, because it is wrong.
bool mentions(const Node& matrix, std::string_view axis);

/// The dimensions restricted to some axes, equal tuples once.
std::vector<Dimension> projected(const std::vector<Dimension>& dimensions,
                                 const std::vector<std::size_t>& axes);

}  // namespace unmask::manifest::matrix
