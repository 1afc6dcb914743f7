# unmask_add_plugin(<kind> <id> SOURCES file...)
#
# Builds the plugin <id> of kind solver|model|attack|dataset|objective|probe as a loadable library in
# <build>/lib/unmask/plugins and installs it into lib/unmask/plugins. Works inside unmask and, after
# find_package(unmask), in any other project.
#
# SOURCES names the files of the plugin. Their tokens, and those of the headers that they include in quotes (the plugin's own
# and the kit's), make the fingerprint, which is part of the key of every cell that uses the plugin: editing one re-runs exactly
# those cells; comments, white space and formatting do not count.

function(unmask_add_plugin kind id)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "SOURCES")
  set(kinds solver model attack dataset objective probe)
  if(NOT kind IN_LIST kinds)
    message(FATAL_ERROR "unmask_add_plugin: kind \"${kind}\" is not one of ${kinds}")
  endif()
  if(NOT id MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "unmask_add_plugin: the id \"${id}\" is not lower_snake_case")
  endif()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unmask_add_plugin(${kind} ${id}): what is ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "unmask_add_plugin(${kind} ${id}): SOURCES is empty")
  endif()
  set(target unmask_${kind}_${id})
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${target})
  file(MAKE_DIRECTORY ${generated})  # not every generator makes it

  # Computed when building, not when configuring: an edit takes effect without running CMake again.
  set(sources)
  foreach(file IN LISTS arg_SOURCES)
    cmake_path(ABSOLUTE_PATH file NORMALIZE)
    list(APPEND sources ${file})
  endforeach()
  set(folders "$<TARGET_PROPERTY:unmask::kit,INTERFACE_INCLUDE_DIRECTORIES>;$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>")
  add_custom_command(OUTPUT ${generated}/unmask_fingerprint.hpp
    COMMAND unmask::fingerprint --output ${generated}/unmask_fingerprint.hpp --depfile ${generated}/unmask_fingerprint.d
            --folder "$<JOIN:${folders},;--folder;>" ${sources}
    DEPENDS ${sources} unmask::fingerprint
    DEPFILE ${generated}/unmask_fingerprint.d
    COMMAND_EXPAND_LISTS VERBATIM)

  add_library(${target} MODULE ${arg_SOURCES} ${generated}/unmask_fingerprint.hpp)
  target_include_directories(${target} PRIVATE ${generated} ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(${target} PRIVATE UNMASK_PLUGIN_ID="${id}" UNMASK_PLUGIN_KIND="${kind}")
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES
    PREFIX "" OUTPUT_NAME ${kind}_${id} CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON POSITION_INDEPENDENT_CODE ON
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/unmask/plugins
    INSTALL_RPATH "$ORIGIN/../..")
  target_link_libraries(${target} PRIVATE unmask::sdk unmask::kit)
  # Autograd nodes and exception types live in the plugin: it must never be unmapped.
  target_link_options(${target} PRIVATE -Wl,-z,nodelete)
  if(NOT UNMASK_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  # Plugins that tests build are not for users.
  if(NOT UNMASK_SKIP_PLUGIN_INSTALL)
    install(TARGETS ${target} LIBRARY DESTINATION lib/unmask/plugins)
    unmask_plugin_examples(${kind} ${id})
  endif()
  set_property(GLOBAL APPEND PROPERTY UNMASK_PLUGIN_TARGETS ${target})
  if(COMMAND unmask_use_torch)
    # Inside unmask: its warnings and its precompiled header.
    target_link_libraries(${target} PRIVATE unmask_warnings)
    unmask_use_torch(${target})
  else()
    # Elsewhere: LibTorch and the SDK stay where they are.
    set_target_properties(${target} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  endif()
endfunction()
