#pragma once
// "sweep" in a definition: a family of definitions that differ in the values of some parameters.

#include <map>
#include <string>
#include <vector>

#include "manifest/text.hpp"

namespace unmask::manifest {

/// A definition as it is read on: what a manifest wrote, or one member of a swept family.
struct DefinitionText {
  std::string name;
  std::string family;  ///< name of the swept definition; empty: it was written as it is
  Node node;           ///< without "sweep"; the swept values stand in "params"
  std::map<std::string, Place> swept;  ///< swept parameter -> where its list is written
};

/// Most definitions that one sweep may stand for.
inline constexpr std::size_t kMostSwept = 10'000;

/// The definitions that a member of define.<kind> stands for: itself, or one for each combination
/// of its swept values, the parameter written first changing slowest. Their names are those of the
/// family and of the values, joined by dots. What is wrong with the sweep is reported and left out.
std::vector<DefinitionText> expand_sweep(const Member& definition, Reporter& reporter);

}  // namespace unmask::manifest
