#pragma once
// JSON Schema (draft 7) of parameters: what editors complete, explain and underline.

#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"
#include "unmask/params.hpp"

namespace unmask::catalog {

/// The dialect that every schema of unmask is written in; the one that editors know best.
inline constexpr const char* kSchemaDialect = "http://json-schema.org/draft-07/schema#";

/// A ratio of two numbers, "8/255"; nothing is divided by zero.
inline constexpr const char* kRatioPattern =
    R"(^\s*[-+.eE0-9]+\s*/\s*(?![-+]?[0.]+([eE].*|\s*)$)[-+.eE0-9]+\s*$)";

/// A value of a parameter as a manifest writes it.
/// @param takes_epsilon  "${epsilon}" and its multiples stand for a real: attacks and probes
nlohmann::json value_schema(const ParamSpec& spec, bool takes_epsilon);

/// "params" of a definition that names this plugin: its own parameters and the host's options, each
/// with its declaration. Nothing is required: a definition may inherit.
nlohmann::json params_properties(const PluginRecord& plugin);

/// The whole "params" of a plugin as a schema of its own.
nlohmann::json params_schema(const PluginRecord& plugin);

}  // namespace unmask::catalog
