#include "engine/safetensors.hpp"

#include "base/files.hpp"

namespace unmask::engine {

void write_safetensors(const std::filesystem::path& path,
                       const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  base::write_file_atomically(path, safetensors_bytes(tensors, metadata));
}

}  // namespace unmask::engine
