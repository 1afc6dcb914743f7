#include "base/counted.hpp"

#include <gtest/gtest.h>

namespace unmask::base::counted_test {
namespace {

TEST(Counted, SaysOneAndMany) {
  EXPECT_EQ(counted(1, "worker"), "1 worker");
  EXPECT_EQ(counted(std::size_t{2}, "worker"), "2 workers");
  EXPECT_EQ(counted(0, "worker"), "0 workers");
  EXPECT_EQ(counted(1, "process", "processes"), "1 process");
  EXPECT_EQ(counted(3, "process", "processes"), "3 processes");
}

}  // namespace
}  // namespace unmask::base::counted_test
