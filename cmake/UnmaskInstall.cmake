# What `cmake --install` copies. The layout is fixed (lib, not lib64 or lib/<triplet>): the program finds
# the engine and the plugins beside itself, and the whole tree can be moved.
#   bin/unmask   lib/libunmask_sdk.so   lib/unmask/   lib/unmask/plugins/   include/unmask/   lib/cmake/unmask/
#   share/unmask/ (templates, experiments)   share/doc/unmask/ (README, docs, licence)

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
# In the build folder they lie where they lie in an installation, so that find_package(unmask) works there, too.
set(package ${PROJECT_BINARY_DIR}/lib/cmake/unmask)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/unmaskConfig.cmake.in ${package}/unmaskConfig.cmake
  INSTALL_DESTINATION lib/cmake/unmask NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${package}/unmaskConfigVersion.cmake COMPATIBILITY SameMinorVersion)
set(package_files ${package}/unmaskConfig.cmake ${package}/unmaskConfigVersion.cmake)
foreach(name UnmaskPlugin UnmaskPluginTest)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/${name}.cmake ${package}/${name}.cmake COPYONLY)
  list(APPEND package_files ${package}/${name}.cmake)
endforeach()
install(FILES ${package_files} DESTINATION lib/cmake/unmask)
export(EXPORT unmaskTargets NAMESPACE unmask:: FILE ${package}/unmaskTargets.cmake)

# What one reads and tries after installing.
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION share/doc/unmask)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION share/doc/unmask RENAME copyright)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION share/doc/unmask FILES_MATCHING PATTERN "*.md")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/experiments DESTINATION share/unmask FILES_MATCHING PATTERN "*.json"
  PATTERN "*.md")
