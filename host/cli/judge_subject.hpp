#pragma once
// What `unmask judge` is asked to judge, from its command line: a file, weights for a model plugin, or
// a checkpoint of a study, and the images.

#include <filesystem>
#include <optional>
#include <string>

#include "cli/judge_manifest.hpp"
#include "store/store.hpp"

namespace unmask::cli {

/// A classifier that somebody brings, as typed. Files and folders must exist.
struct BroughtNetwork {
  std::string file;       ///< TorchScript; empty: weights for a model plugin
  std::string mean, std;  ///< "0.49,0.48,0.45", of TorchScript; empty: none
  std::string output = "logits";

  std::string model;                   ///< id of a model plugin
  std::string params = "{}";           ///< a JSON object
  std::string weights, weights_names;  ///< safetensors file and table of names
  std::string solver;                  ///< id of a solver plugin
  std::string solver_params = "{}";    ///< a JSON object

  std::string data;  ///< file, folder, or "cifar10:FOLDER"
  std::optional<std::int64_t>
      classes;                       ///< of a safetensors file; nullopt: the largest label plus 1
  std::optional<std::int64_t> size;  ///< of pictures in a folder
};

/// @throws UsageError with what to do, for words that do not fit together or name nothing
JudgeSubject subject_of(const BroughtNetwork& network);

/// A network that a study of the database has trained.
/// @param key  of its training; its first digits suffice
/// @throws UsageError when no training, or several, have such a key, or when the manifest of the study
///         is not where it was
JudgeSubject subject_of_checkpoint(const store::Store& store, const std::string& key);

/// Whether a word may be the beginning of a key: at least 6 hexadecimal digits.
bool looks_like_key(const std::string& word);

}  // namespace unmask::cli
