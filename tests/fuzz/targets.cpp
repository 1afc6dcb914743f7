#include "fuzz/targets.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/files.hpp"

namespace unmask::fuzz {

const Target& target(const std::string& name) {
  const auto found = targets().find(name);
  if (found != targets().end()) return found->second;
  std::fprintf(stderr, "there is no target \"%s\" here; these are:", name.c_str());
  for (const auto& [known, function] : targets()) std::fprintf(stderr, " %s", known.c_str());
  std::fputs("\n", stderr);
  std::exit(2);  // NOLINT(concurrency-mt-unsafe): one thread
}

const std::string& scratch_folder() {
  static const bool has_memory = std::filesystem::is_directory("/dev/shm");
  static const base::TempFolder folder("unmask-fuzz-", has_memory ? "/dev/shm" : "");
  static const std::string path = folder.path().string();
  return path;
}

std::string scratch_file(const std::string& name, std::string_view bytes) {
  const std::string path = scratch_folder() + "/" + name;
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  return path;
}

}  // namespace unmask::fuzz
