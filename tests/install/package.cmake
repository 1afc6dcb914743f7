# Makes the package of a build and looks at what is in it.
#   cmake -DBUILD=... -DCPACK=... -DVERSION=... -DWORK=... -P package.cmake

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
execute_process(COMMAND ${CPACK} -G DEB --config ${BUILD}/CPackConfig.cmake -B ${WORK}
  RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "cpack -G DEB failed with ${code}:\n${output}")
endif()
file(GLOB packages ${WORK}/unmask_${VERSION}*.deb)
list(LENGTH packages count)
if(NOT count EQUAL 1)
  message(FATAL_ERROR "cpack made ${count} packages unmask_${VERSION}*.deb")
endif()

execute_process(COMMAND dpkg-deb --contents ${packages} OUTPUT_VARIABLE contents COMMAND_ERROR_IS_FATAL ANY)
foreach(file bin/unmask lib/libunmask_sdk.so lib/unmask/libunmask_engine.so lib/unmask/plugins/attack_pgd.so
        include/unmask/plugin.hpp lib/cmake/unmask/unmaskConfig.cmake share/unmask/templates/model/new_plugin.cpp
        share/unmask/experiments/quickstart.json share/doc/unmask/copyright share/doc/unmask/docs/manifest.md)
  if(NOT contents MATCHES " ./usr/${file}")
    message(SEND_ERROR "the package lacks /usr/${file}")
  endif()
endforeach()
if(contents MATCHES "segfault")
  message(SEND_ERROR "the package holds a plugin of the tests")
endif()

# What it needs of the system is found by dpkg-shlibdeps where LibTorch comes from a package.
execute_process(COMMAND dpkg-deb --field ${packages} Depends OUTPUT_VARIABLE depends)
message(STATUS "depends: ${depends}")
file(READ ${BUILD}/CPackConfig.cmake config)
if(config MATCHES "PACKAGE_SHLIBDEPS \"ON\"" AND NOT depends MATCHES "libtorch.*libsqlite3|libsqlite3.*libtorch")
  message(SEND_ERROR "the package does not depend on LibTorch and SQLite: ${depends}")
endif()
