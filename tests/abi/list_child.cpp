// The process that tests let look at libraries: list_child FD FILE...

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "loader/listing.hpp"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  return unmask::loader::list_main(std::vector<std::filesystem::path>(argv + 2, argv + argc),
                                   std::atoi(argv[1]));
}
