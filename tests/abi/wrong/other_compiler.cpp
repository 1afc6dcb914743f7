// Made by another compiler.
#define WRONG_TAG                                                                                \
  "@unmask-build-tag:epoch=" UNMASK_STRINGIFY(                                                   \
      UNMASK_SDK_EPOCH) ";compiler=gcc-5;cxx11_abi=" UNMASK_CXX11_ABI                            \
                        ";libtorch=" UNMASK_STRINGIFY(TORCH_VERSION_MAJOR) "." UNMASK_STRINGIFY( \
                            TORCH_VERSION_MINOR) "." UNMASK_STRINGIFY(TORCH_VERSION_PATCH) "@"
#include "frame.hpp"
