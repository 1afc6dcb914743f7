#include "cli/kernel_choice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::cli::kernel_choice_test {
namespace {

using ::testing::HasSubstr;

TEST(KernelChoice, NamesAreReadBack) {
  EXPECT_EQ(parse_kernels("portable"), Kernels::kPortable);
  EXPECT_EQ(parse_kernels("native"), Kernels::kNative);
  EXPECT_THROW(parse_kernels("avx512"), UsageError);
}

TEST(KernelChoice, PortableIsTheDefaultWhereItHasAMeaning) {
  const Processor arm{}, old{true, false}, usual{true, true};

  EXPECT_EQ(default_kernels(usual), Kernels::kPortable);
  EXPECT_EQ(default_kernels(old), Kernels::kNative);
  EXPECT_EQ(default_kernels(arm), Kernels::kNative);
  EXPECT_EQ(portable_obstacle(usual), std::nullopt);
  EXPECT_THAT(portable_obstacle(old).value_or(""), HasSubstr("AVX2 with FMA"));
  EXPECT_THAT(portable_obstacle(arm).value_or(""), HasSubstr("no x86-64"));
}

TEST(KernelChoice, WhatComputesOtherwiseIsNamed) {
  EXPECT_EQ(not_portable("ATen AVX2, OpenBLAS Haswell, oneDNN avx2"), "");
  EXPECT_EQ(not_portable("ATen AVX2, OpenBLAS Haswell"), "");
  EXPECT_THAT(not_portable("ATen AVX512, OpenBLAS Haswell, oneDNN avx2"),
              HasSubstr("ATen computes with avx512 instead of avx2"));
  EXPECT_THAT(not_portable("ATen AVX2, OpenBLAS SkylakeX, oneDNN avx512_core"),
              HasSubstr("OpenBLAS computes with skylakex instead of haswell; oneDNN computes with "
                        "avx512_core instead of avx2"));
  EXPECT_THAT(not_portable("ATen AVX2, OpenBLAS Haswell, oneDNN off: its convolutions are wrong"),
              HasSubstr("; oneDNN is off: its convolutions are wrong"));
  EXPECT_THAT(not_portable("ATen AVX2, oneDNN avx2"), HasSubstr("do not come from OpenBLAS"));
}

}  // namespace
}  // namespace unmask::cli::kernel_choice_test
