#pragma once
// A Butcher table from the manifest. `rk_tableau` and `rk_tableau_adaptive` are these parameters
// and a RungeKutta. Everything that can be wrong with a table is a ParamError that names the
// parameter.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "unmask/plugin.hpp"

namespace unmask::kit {

inline std::vector<ParamSpec> tableau_params() {
  return {
      real_list("a", "strictly lower triangle row by row: a21, a31, a32, a41, ..."),
      real_list("b", "weights of the solution, one per stage").length(1, 64),
      real_list("c", "nodes, one per stage, the first 0; left out: the row sums of a").optional(),
      real_list("mid", "weights of y in the middle of a step, one per stage; left out: cubic")
          .optional(),
      integer("order", "order of the solution; the conditions up to order 5 are checked")
          .at_least(1)
          .at_most(20)};
}

/// The parameters that an error estimate needs besides.
inline std::vector<ParamSpec> adaptive_tableau_params() {
  std::vector<ParamSpec> specs = tableau_params();
  specs.push_back(
      real_list("error", "weights of the error estimate, b - b_embedded; or give b_embedded")
          .optional());
  specs.push_back(
      real_list("b_embedded", "weights of the embedded solution; or give error").optional());
  return specs;
}

namespace detail {

[[noreturn]] inline void refuse(std::string_view parameter, const std::string& reason) {
  throw ParamError("parameter \"" + std::string(parameter) + "\": " + reason);
}

// One entry per stage. By value: compilers cannot see that a reference would not be one to `name`.
inline std::vector<double> per_stage(const Params& p, std::string_view name, std::size_t stages) {
  const std::vector<double>& values = p.get_reals(name);
  if (values.size() != stages) {
    refuse(name,
           "has " + std::to_string(values.size()) + " entries, but b has " +
               std::to_string(stages) + ": one per stage is needed");
  }
  return values;
}

// Where the user finds what tableau_violation() complains about.
inline std::string parameter_of(const std::string& violation, const std::string& error_name) {
  const auto speaks_of = [&](const char* text) {
    return violation.find(text) != std::string::npos;
  };
  if (speaks_of("of a sums to")) return "c";
  if (speaks_of("error weights")) return error_name;
  if (speaks_of("mid weights")) return "mid";
  if (speaks_of("order must")) return "order";
  return "b";
}

}  // namespace detail

/// The table that the parameters describe.
/// @throws ParamError naming the parameter that is wrong and the rule that it breaks
inline Tableau tableau_from(const Params& p, bool is_adaptive) {
  Tableau t;
  t.order = static_cast<int>(p.get_integer("order"));
  t.b = p.get_reals("b");
  const std::size_t stages = t.b.size();
  const std::vector<double>& a = p.get_reals("a");
  const std::size_t wanted = stages * (stages - 1) / 2;
  if (a.size() != wanted) {
    detail::refuse("a",
                   "has " + std::to_string(a.size()) + " entries, but b has " +
                       std::to_string(stages) + " stages, whose strictly lower triangle has " +
                       std::to_string(wanted));
  }
  std::size_t next = 0;
  for (std::size_t row = 1; row < stages; ++row) {
    std::vector<double> entries;
    double sum = 0;
    for (std::size_t column = 0; column < row; ++column) {
      entries.push_back(a[next++]);
      sum += entries.back();
    }
    t.a.push_back(std::move(entries));
    t.c.push_back(sum);
  }
  if (p.has("c")) {
    const std::vector<double> c = detail::per_stage(p, "c", stages);
    if (c.front() != 0) detail::refuse("c", "the first stage is at 0, so the first entry is 0");
    t.c.assign(c.begin() + 1, c.end());
  }
  if (p.has("mid")) t.mid = detail::per_stage(p, "mid", stages);
  std::string error_name;
  if (is_adaptive) {
    if (p.has("error") == p.has("b_embedded")) {
      detail::refuse("error", "give either error or b_embedded, and not both");
    }
    error_name = p.has("error") ? "error" : "b_embedded";
    t.error = detail::per_stage(p, error_name, stages);
    if (error_name == "b_embedded") {
      for (std::size_t i = 0; i < stages; ++i) t.error[i] = t.b[i] - t.error[i];
    }
    t.controller_order = t.order;  // the driver's option of that name has precedence
  }
  if (const auto violation = tableau_violation(t)) {
    detail::refuse(detail::parameter_of(*violation, error_name), *violation);
  }
  return t;
}

}  // namespace unmask::kit
