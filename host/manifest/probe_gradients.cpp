// "gradients" of a probe's definition: gradient solvers that the probe compares, by their names.

#include <algorithm>

#include "manifest/definitions.hpp"
#include "manifest/text.hpp"
#include "text/article.hpp"

namespace unmask::manifest {
namespace {

bool is_lower_snake(const std::string& name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

}  // namespace

void Definitions::read_gradients(const std::string& kind,
                                 const Node& gradients,
                                 ResolvedDefinition& out) {
  if (kind != "probe") {
    reporter_.at_key(code::kUnknownKey,
                     gradients,
                     with_article(kind) + " has no \"gradients\"",
                     "only a probe compares gradient solvers; an attack has the axis \"gradient\"");
    return;
  }
  if (!expect(gradients, Node::Kind::kArray, "\"gradients\"", reporter_)) return;
  for (const Node& item : gradients.items) {
    if (!expect(item, Node::Kind::kString, "the name of a solver", reporter_)) continue;
    const std::string& name = item.string;
    const auto found = index("solver", name);
    if (!found) {
      reporter_.at_value(code::kUnknownName,
                         item,
                         "unknown solver " + in_quotes(name) + " among the gradients",
                         help("solver", name),
                         nearest(name, names("solver")));
      continue;
    }
    if (!is_lower_snake(name)) {
      reporter_.at_value(code::kBadName,
                         item,
                         in_quotes(name) + " cannot be a gradient of a probe",
                         "what is measured is called after it, in lower snake case: rename the "
                         "solver, or define another name that extends it");
      continue;
    }
    std::vector<Definition>& chosen = out.definition.gradients;
    if (std::any_of(chosen.begin(), chosen.end(), [&](const Definition& solver) {
          return solver.name == name;
        })) {
      reporter_.at_value(code::kWrongValue, item, in_quotes(name) + " is among them already");
      continue;
    }
    const ResolvedDefinition& solver = of("solver")[*found];
    if (solver.is_valid()) chosen.push_back(solver.definition);  // otherwise reported there
  }
}

}  // namespace unmask::manifest
