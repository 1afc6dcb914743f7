# Warnings and sanitizers of our own targets: link `unmask_warnings` PRIVATE.
add_library(unmask_warnings INTERFACE)
target_compile_options(unmask_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  # GCC 12 warns about std::string's own code at -O2 (its bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<BOOL:${UNMASK_WERROR}>:-Werror>)
if(UNMASK_SANITIZE)
  target_compile_options(unmask_warnings INTERFACE
    -fsanitize=${UNMASK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(unmask_warnings INTERFACE -fsanitize=${UNMASK_SANITIZE})
endif()
# Coverage for libFuzzer: every place of our code calls a function of a library of its own (tests/fuzz/trace.cpp).
if(UNMASK_FUZZ)
  add_library(unmask_trace SHARED ${PROJECT_SOURCE_DIR}/tests/fuzz/trace.cpp)
  target_include_directories(unmask_trace PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_options(unmask_warnings INTERFACE -fsanitize-coverage=trace-pc)
  target_link_libraries(unmask_warnings INTERFACE unmask_trace)
  target_link_options(unmask_warnings INTERFACE -Wl,--wrap=__sanitizer_cov_trace_pc)
endif()
