#pragma once
// A handful of plugins that exist only as declarations: what the manifest tests are read against.

#include "catalog/catalog.hpp"

namespace unmask::manifest::testing {

inline catalog::Catalog fake_catalog() {
  catalog::Catalog catalog;
  const auto add = [&](const char* kind,
                       const char* id,
                       std::vector<ParamSpec> params,
                       std::set<std::string> capabilities = {}) {
    catalog::PluginRecord record;
    record.kind = kind;
    record.id = id;
    record.version = "1";
    record.summary = id;
    record.params = std::move(params);
    record.capabilities = std::move(capabilities);
    catalog.plugins.push_back(std::move(record));
  };
  add("solver", "dopri5", {}, {"adaptive"});
  add("solver", "identity", {});
  add("solver", "rk4", {});
  add("model",
      "odenet",
      {integer("width", "channels").by_default(64).at_least(1).at_most(4096),
       boolean("skew", "skew-symmetric blocks").by_default(true)});
  add("model", "resnet", {integer("depth", "layers").at_least(2)});
  add("attack", "none", {});
  add("attack",
      "pgd",
      {integer("steps", "iterations").by_default(20).at_least(1),
       real("step_size", "step of one iteration").above(0).at_most(1),
       choice("loss", {"ce", "margin"}, "what is increased").by_default("ce")});
  add("attack", "apgd", {choice("norm", {"linf", "l2"}, "of the ball").by_default("linf")});
  add("attack",
      "square",
      {integer("queries", "queries per sample").by_default(5000).at_least(1),
       real("fraction", "of the pixels").by_default(0.8).above(0).at_most(1)},
      {"gradient_free"});
  add("dataset",
      "digits",
      {path("folder", "where the files lie").optional(),
       text("variant", "which digits").by_default("plain"),
       real_list("mean", "per channel").by_default(std::vector<double>{0.5}).length(1, 3),
       integer_list("classes", "kept classes")
           .by_default(std::vector<std::int64_t>{})
           .at_least(0)});
  add("objective", "erm", {});
  add("objective", "trades", {real("beta", "weight of the robust term").above(0)});
  add("probe", "elasticity", {real("radius", "of the ball").above(0)});
  add("probe", "gradient_norm", {integer("samples", "images").by_default(16).at_least(1)});
  return catalog;
}

}  // namespace unmask::manifest::testing
