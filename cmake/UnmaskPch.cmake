# One precompiled header for everything that includes LibTorch: `unmask_use_torch(target)`.
# torch/types.h costs many seconds a file without it.

function(unmask_use_torch target)
  target_link_libraries(${target} PRIVATE torch)
  if(UNMASK_PCH)
    if(NOT TARGET unmask_pch)
      file(WRITE ${PROJECT_BINARY_DIR}/pch/unmask_pch.cpp "")
      add_library(unmask_pch OBJECT ${PROJECT_BINARY_DIR}/pch/unmask_pch.cpp)
      target_link_libraries(unmask_pch PRIVATE torch unmask_warnings)
      target_precompile_headers(unmask_pch PRIVATE
        <algorithm> <cmath> <cstdint> <functional> <map> <memory> <optional> <string> <string_view>
        <vector> <torch/nn.h> <torch/types.h> <torch/version.h>)
      # Executables compile with -fPIE by default, which a header compiled with -fPIC would not fit.
      target_compile_options(unmask_pch PRIVATE -fPIC)
    endif()
    target_compile_options(${target} PRIVATE -fPIC -Winvalid-pch)
    target_precompile_headers(${target} REUSE_FROM unmask_pch)
  endif()
endfunction()
