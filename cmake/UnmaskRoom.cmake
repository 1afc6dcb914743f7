# unmask_room(<name> SOURCES file... [USES target...] [PRIVATE_USES target...] [TORCH])
#
# One room of the host: the static library unmask_<name>. USES names the rooms below that its headers show; with TORCH it
# gets LibTorch. Its files are compiled a few at a time as one (UNMASK_UNITY): most of the time of a small file goes into
# reading headers.
function(unmask_room name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "SOURCES;USES;PRIVATE_USES")
  set(target unmask_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/host)
  target_link_libraries(${target} PUBLIC ${arg_USES} PRIVATE ${arg_PRIVATE_USES} unmask_warnings)
  if(arg_TORCH)
    unmask_use_torch(${target})
    unmask_unity(${target} 6)
  else()
    unmask_use_json(${target})
    unmask_unity(${target} 12)
  endif()
endfunction()

# Compile the files of a target `count` at a time.
function(unmask_unity target count)
  if(UNMASK_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${count})
    # What GCC takes for a header here is a source file, whose anonymous types no other file sees.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()
