#pragma once
// The build tag of a library, read from the bytes of its file before anything of it runs. A library
// made by another compiler or for another LibTorch could crash the process that merely loads it; so
// the tag decides first, and the header that it exports is looked at afterwards.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unmask::loader {

/// All distinct, well-formed tags "@unmask-build-tag:name=value;...@" in some bytes, in order of
/// first appearance. Text that only begins like a tag is none.
std::vector<std::string> find_build_tags(std::string_view bytes);

/// The fields of a tag, in their order.
std::vector<std::pair<std::string, std::string>> tag_fields(std::string_view tag);

/// nullopt when both tags say the same, else one sentence without a subject that names every field
/// in which they differ and says how to rebuild ("was built for another host: compiler gcc-11
/// (...)").
std::optional<std::string> tag_mismatch(std::string_view plugin_tag, std::string_view host_tag);

/// nullopt when the bytes are a whole shared library for this kind of machine, else what they are
/// instead ("is empty", "is not a shared library ...", "is truncated ...").
std::optional<std::string> library_violation(std::string_view bytes);

/// What a look at a file's bytes tells.
struct FileInspection {
  std::string build_tag;  ///< the one tag in it; empty when there is a problem
  std::string sha256;     ///< of the whole file; empty when it cannot be read
  std::string problem;  ///< why it must not be loaded, a sentence without a subject; empty: it may
};

/// Read a file and decide whether it may be loaded by a host with this tag. Never throws for what
/// is in the file, and reads nothing but regular files.
FileInspection inspect_file(const std::filesystem::path& file, std::string_view host_tag);

}  // namespace unmask::loader
