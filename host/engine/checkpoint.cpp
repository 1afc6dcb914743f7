#include "engine/checkpoint.hpp"

#include "base/files.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::engine {
namespace fs = std::filesystem;

wire::CheckpointFile save_checkpoint(const fs::path& folder,
                                     const std::vector<NamedTensor>& state,
                                     const std::map<std::string, std::string>& metadata) {
  const std::string bytes = safetensors_bytes(state, metadata);
  wire::CheckpointFile file;
  file.sha256 = sha256_hex(bytes);
  file.bytes = static_cast<std::int64_t>(bytes.size());
  file.path = file.sha256.substr(0, 2) + "/" + file.sha256 + ".safetensors";
  base::write_file_atomically(folder / file.path, bytes);
  return file;
}

TensorFile load_checkpoint(const fs::path& folder, const wire::CheckpointFile& checkpoint) {
  const fs::path path = folder / checkpoint.path;
  if (!fs::exists(path)) {
    throw DataError("checkpoint " + path.string() +
                    " is missing; run the study again to train it anew");
  }
  const std::string bytes = base::read_file(path);
  if (sha256_hex(bytes) != checkpoint.sha256) {
    throw DataError(
        "checkpoint " + path.string() +
        " is damaged: its SHA-256 is not the recorded one; run the study again to train it anew");
  }
  return parse_safetensors(bytes, path.string());
}

}  // namespace unmask::engine
