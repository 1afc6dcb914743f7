// The process that tests let look at libraries: list_child FD, the request on standard input.

#include <cstdlib>

#include "loader/listing.hpp"

int main(int argc, char** argv) {
  return argc == 2 ? unmask::loader::list_main(std::atoi(argv[1])) : 2;
}
