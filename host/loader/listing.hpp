#pragma once
// The child that looks at plugin libraries for the host, see loader/discover.hpp.

#include <filesystem>
#include <vector>

#include "catalog/catalog.hpp"

namespace unmask::loader {

/// Look at each file of the request {"files": [...]} on descriptor 0 in turn and say what is found
/// (see base/items.hpp): a catalog of its record or its refusal; at last how many CUDA devices
/// LibTorch sees, and which files this process consisted of before it loaded a plugin. Ends the
/// process itself, without running destructors of plugins.
/// @return never normally; 1 when the answers cannot be written
int list_main(int answer_fd);

/// All plugins of some folders, loaded into this process. For tests and tools that trust them; the
/// host uses inspect_in_child().
catalog::Catalog discover(const std::vector<std::filesystem::path>& folders);

}  // namespace unmask::loader
