#pragma once
// Where the libraries of tests/abi/wrong are.

#include <filesystem>
#include <string>

namespace unmask::test {

inline std::filesystem::path wrong_folder(const std::string& name) {
  return std::filesystem::path(UNMASK_WRONG_PLUGINS) / name;
}

inline std::filesystem::path wrong_file(const std::string& name) {
  return wrong_folder(name) / (name + ".so");
}

}  // namespace unmask::test
