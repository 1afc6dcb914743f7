# What `cmake --install` copies. The layout is fixed (lib, not lib64 or lib/<triplet>): the program finds
# the engine and the plugins beside itself, and the whole tree can be moved.
#   bin/unmask   lib/libunmask_sdk.so   lib/unmask/   lib/unmask/plugins/   include/unmask/   lib/cmake/unmask/

install(DIRECTORY ${PROJECT_SOURCE_DIR}/host/sdk/include/unmask DESTINATION include
  FILES_MATCHING PATTERN "*.hpp")

install(DIRECTORY ${PROJECT_SOURCE_DIR}/host/kit/include/unmask DESTINATION include
  FILES_MATCHING PATTERN "*.hpp")

set_target_properties(unmask_kit PROPERTIES EXPORT_NAME kit)
set_target_properties(unmask_sdk_headers PROPERTIES EXPORT_NAME sdk_headers)
install(TARGETS unmask_sdk unmask_sdk_headers unmask_kit unmask_fingerprint_program EXPORT unmaskTargets
  LIBRARY DESTINATION lib RUNTIME DESTINATION lib/unmask)
install(EXPORT unmaskTargets NAMESPACE unmask:: DESTINATION lib/cmake/unmask)

# A LibTorch outside of the system's folders is found where it was at build time.
get_property(unmask_plugin_targets GLOBAL PROPERTY UNMASK_PLUGIN_TARGETS)
foreach(target unmask_sdk unmask_engine ${unmask_plugin_targets})
  if(TARGET ${target})
    set_target_properties(${target} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  endif()
endforeach()

include(CMakePackageConfigHelpers)
# What a plugin must share with this build; compared when a project asks for unmask, so that an author
# hears of a difference before the host refuses the library.
string(REGEX MATCH "^[0-9]+" UNMASK_COMPILER_MAJOR "${CMAKE_CXX_COMPILER_VERSION}")
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/unmaskConfig.cmake.in ${PROJECT_BINARY_DIR}/cmake/unmaskConfig.cmake
  INSTALL_DESTINATION lib/cmake/unmask NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/unmaskConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/unmaskConfig.cmake
  ${PROJECT_BINARY_DIR}/cmake/unmaskConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/UnmaskPlugin.cmake
  DESTINATION lib/cmake/unmask)
