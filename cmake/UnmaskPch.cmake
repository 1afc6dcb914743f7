# Precompiled headers, one for each way of compiling:
#   unmask_use_torch(target)       everything that includes LibTorch; torch/types.h costs many seconds a file without it
#   unmask_use_json(target)        rooms of the host without LibTorch
#   unmask_use_test_pch(target [TORCH])  tests, which are compiled more often than they run and so at -O1
#
# A header fits only the flags that it was made with: optimisation and -fPIC (executables compile with -fPIE by default).

set(UNMASK_STD_HEADERS
  <algorithm> <chrono> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <optional> <set> <sstream> <string>
  <string_view> <utility> <variant> <vector>)
# No more of LibTorch than most files need: a file pays about a second for every 100 MB of its precompiled header.
set(UNMASK_TORCH_HEADERS <torch/types.h> <torch/autograd.h> <torch/version.h>)

# The object library whose precompiled header others reuse.
function(unmask_pch_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TEST" "" "HEADERS;LIBS")
  if(TARGET ${name})
    return()
  endif()
  file(WRITE ${PROJECT_BINARY_DIR}/pch/${name}.cpp "")
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/pch/${name}.cpp)
  target_link_libraries(${name} PRIVATE unmask_warnings ${arg_LIBS})
  target_precompile_headers(${name} PRIVATE ${UNMASK_STD_HEADERS} ${arg_HEADERS})
  target_compile_options(${name} PRIVATE -fPIC)
  if(arg_TEST)
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()
endfunction()

function(unmask_reuse_pch target name)
  target_compile_options(${target} PRIVATE -fPIC -Winvalid-pch)
  target_precompile_headers(${target} REUSE_FROM ${name})
endfunction()

function(unmask_use_torch target)
  target_link_libraries(${target} PRIVATE torch)
  if(UNMASK_PCH)
    unmask_pch_library(unmask_torch_pch LIBS torch HEADERS ${UNMASK_TORCH_HEADERS})
    unmask_reuse_pch(${target} unmask_torch_pch)
  endif()
endfunction()

function(unmask_use_json target)
  if(UNMASK_PCH)
    unmask_pch_library(unmask_json_pch LIBS nlohmann_json::nlohmann_json HEADERS <nlohmann/json.hpp>)
    unmask_reuse_pch(${target} unmask_json_pch)
  endif()
endfunction()

function(unmask_use_test_pch target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "")
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(arg_TORCH)
    target_link_libraries(${target} PRIVATE torch)
  endif()
  if(UNMASK_PCH AND arg_TORCH)
    unmask_pch_library(unmask_torch_test_pch TEST LIBS torch GTest::gtest GTest::gmock
      HEADERS ${UNMASK_TORCH_HEADERS} <gtest/gtest.h> <gmock/gmock.h>)
    unmask_reuse_pch(${target} unmask_torch_test_pch)
  elseif(UNMASK_PCH)
    unmask_pch_library(unmask_test_pch TEST LIBS nlohmann_json::nlohmann_json GTest::gtest GTest::gmock
      HEADERS <nlohmann/json.hpp> <gtest/gtest.h> <gmock/gmock.h>)
    unmask_reuse_pch(${target} unmask_test_pch)
  endif()
endfunction()
