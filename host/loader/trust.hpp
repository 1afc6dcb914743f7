#pragma once
// Whether a library may be loaded. Loading runs its code with all rights of the user, so nobody else
// may be able to put it there.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.hpp"

namespace unmask::loader {

/// Environment variable that switches these checks off when it is "1": for file systems that know
/// no rights (a disk of another system that shows everything as open to everybody).
inline constexpr const char* kTrustVariable = "UNMASK_TRUST_PLUGIN_FILES";

/// Why a library must not be loaded, as a sentence without its subject, with what to do; nullopt
/// when it may. A library is refused when everybody may write to it or to the folder that it lies in
/// (where a link leads: to that folder, too). In a folder like /tmp, where everybody may put files
/// but nobody may touch those of others (the sticky bit), a library must belong to this user or to
/// root. Rights of a group do not count: who shares a group builds together.
std::optional<std::string> distrust(const std::filesystem::path& library);

/// Take what must not be loaded out of `files`.
/// @param allowed  value of the environment variable; nullptr: not set
std::vector<catalog::PluginRefusal> take_distrusted(std::vector<std::filesystem::path>& files,
                                                    const char* allowed);

}  // namespace unmask::loader
