#pragma once
// What makes the key of a cell.

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "wire/shared_spec.hpp"

namespace unmask::wire {

/// Version of what the host computes from a specification: driver, training loop, evaluation.
/// Raised whenever equal specifications would give other numbers than before; part of every key.
inline constexpr int kSemantics = 3;

/// "sha256:<hex>", what stands in a specification for a file parameter: the content of the file,
/// not its name. @throws DataError when it cannot be read
std::string identity_of_file(const std::filesystem::path& file);

/// SHA-256 of the canonical text of a specification: keys sorted, no white space, numbers in
/// shortest form that reads back to the same double.
std::string key_of(const nlohmann::json& spec);
std::string key_of(const Spec& spec);

/// Bytes that are equal for equal values and for no others. Values with paths are told apart by
/// them: paths need not be UTF-8, and dump() takes nothing else.
std::string bytes_of(const nlohmann::json& value);

}  // namespace unmask::wire
