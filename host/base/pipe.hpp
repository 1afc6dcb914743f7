#pragma once
// A pipe whose reading end never blocks: how a host listens to a child.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/unique_fd.hpp"
#include "unmask/errors.hpp"

namespace unmask::base {

struct Pipe {
  UniqueFd reader, writer;

  /// @throws InternalError when there are no descriptors left
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw InternalError(std::string("cannot make a pipe: ") + std::strerror(errno));
    }
    reader.reset(ends[0]);
    writer.reset(ends[1]);
    ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  }
};

}  // namespace unmask::base
