#pragma once
// The child that looks at plugin libraries for the host, see loader/discover.hpp.

#include <filesystem>
#include <vector>

#include "catalog/catalog.hpp"

namespace unmask::loader {

/// Look at each file in turn and write what is found as lines of JSON to a descriptor: which file
/// is next, then its record or the reason of its refusal, and at last how many CUDA devices
/// LibTorch sees. The host knows from them which library was being loaded should this process die.
/// Ends the process itself, without running destructors of plugins.
/// @return never normally; 1 when the answers cannot be written
int list_main(const std::vector<std::filesystem::path>& files, int answer_fd);

/// All plugins of some folders, loaded into this process. For tests and tools that trust them; the
/// host uses discover_in_child().
catalog::Catalog discover(const std::vector<std::filesystem::path>& folders);

}  // namespace unmask::loader
