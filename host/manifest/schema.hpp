#pragma once
// The JSON Schema (draft 7) of manifests, made from the plugins that are there: editors complete
// names of keys, plugins and parameters with it, explain them, and underline what cannot be right.

#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"

namespace unmask::manifest {

/// A schema that every manifest fits which read_study() accepts. It refuses much of what that
/// refuses, not all: it knows no other definitions of the file, no files that it extends, and no
/// rules between values.
nlohmann::json manifest_schema(const catalog::Catalog& catalog);

}  // namespace unmask::manifest
