#include "engine/training_snapshot.hpp"

#include <cstdio>

#include <torch/version.h>

#include "base/files.hpp"
#include "engine/safetensors.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"
#include "wire/unfinished.hpp"

namespace unmask::engine {
namespace {

namespace fs = std::filesystem;
using Metadata = std::map<std::string, std::string>;

// Raise it when the meaning of a snapshot changes.
constexpr const char* kFormat = "unmask-training-snapshot/1";
constexpr const char* kHash = "sha256";
constexpr const char* kState = "state";

std::string kind_of_device(const std::string& device) {
  return device.substr(0, device.find(':'));
}

// What a snapshot must agree with to be continued. Another LibTorch or another kind of device may
// round differently, and half of a training on each would be repeatable on neither.
Metadata identity(const SnapshotPlace& place, const std::string& device) {
  return {{"format", kFormat},
          {"key", place.key},
          {"libtorch", TORCH_VERSION},
          {"device", kind_of_device(device)}};
}

// The hash covers the bytes of the file as it would be without the hash.
std::string hash_of(const std::vector<NamedTensor>& tensors, Metadata metadata) {
  metadata.erase(kHash);
  return sha256_hex(safetensors_bytes(tensors, metadata));
}

}  // namespace

SnapshotPlace snapshot_place(const fs::path& checkpoints, const std::string& key) {
  SnapshotPlace place;
  place.file = wire::snapshot_file(checkpoints, key);
  place.key = key;
  return place;
}

std::vector<NamedTensor> TrainingSnapshot::part(const std::string& name) const {
  const std::string prefix = name + "/";
  std::vector<NamedTensor> result;
  for (const NamedTensor& item : tensors) {
    if (item.name.starts_with(prefix)) {
      result.push_back({item.name.substr(prefix.size()), item.tensor});
    }
  }
  return result;
}

void TrainingSnapshot::add_part(const std::string& name, const std::vector<NamedTensor>& part) {
  for (const NamedTensor& item : part) tensors.push_back({name + "/" + item.name, item.tensor});
}

void write_snapshot(const SnapshotPlace& place,
                    const std::string& device,
                    const TrainingSnapshot& snapshot) {
  Metadata metadata = identity(place, device);
  metadata[kState] = snapshot.state.dump();
  metadata[kHash] = hash_of(snapshot.tensors, metadata);
  write_safetensors(place.file, snapshot.tensors, metadata);
}

std::optional<TrainingSnapshot> read_snapshot(const SnapshotPlace& place,
                                              const std::string& device) {
  if (!fs::exists(place.file)) return std::nullopt;
  try {
    TensorFile file = read_safetensors(place.file);
    const std::string hash = file.metadata[kHash];
    if (hash_of(file.tensors, file.metadata) != hash) {
      throw DataError("its SHA-256 is not the recorded one");
    }
    for (const auto& [name, value] : identity(place, device)) {
      if (file.metadata[name] != value) {
        throw DataError("its " + name + " is \"" + file.metadata[name] + "\", needed is \"" +
                        value + "\"");
      }
    }
    TrainingSnapshot snapshot;
    snapshot.state = nlohmann::json::parse(file.metadata.at(kState));
    snapshot.tensors = std::move(file.tensors);
    return snapshot;
  } catch (const std::exception& error) {
    std::fprintf(stderr,
                 "warning: the unfinished training in %s cannot be continued and begins anew: %s\n",
                 place.file.c_str(),
                 error.what());
    return std::nullopt;
  }
}

}  // namespace unmask::engine
