#pragma once
// Where a study's files are: the database, and the folders beside it.

#include <filesystem>

namespace unmask::store {

/// One database has one name and one set of folders, whichever way it is written: relative or
/// absolute, through symbolic links, through a link whose file does not exist yet.
struct ResultFolders {
  std::filesystem::path database;      ///< absolute, every link followed
  std::filesystem::path checkpoints;   ///< trained networks
  std::filesystem::path unfinished;    ///< in it: trainings whose result is not in the database yet
  std::filesystem::path adversarials;  ///< kept adversarial images
  std::filesystem::path logs;          ///< what workers print, one folder a run

  /// Of the database that is named `database`. Nothing is made.
  /// @throws StoreError when links lead in a circle
  static ResultFolders of(const std::filesystem::path& database);
};

}  // namespace unmask::store
