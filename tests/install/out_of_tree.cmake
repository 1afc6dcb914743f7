# Installs a build, moves the installation elsewhere, builds the project against it, and lets the
# installed program look at the plugins.
#   cmake -DBUILD=... -DPROJECT=... -DWORK=... -DGENERATOR=... -DCOMPILER=... -P out_of_tree.cmake

function(step name)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${name} failed with ${code}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

string(REPLACE "|" ";" PREFIX_PATH "${PREFIX_PATH}")
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

step("installing" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
# Nothing in an installation may know where it was put.
file(RENAME ${WORK}/first ${WORK}/moved)
set(program ${WORK}/moved/bin/unmask)

foreach(file bin/unmask include/unmask/plugin.hpp lib/cmake/unmask/unmaskConfig.cmake
        lib/cmake/unmask/unmaskTargets.cmake lib/cmake/unmask/UnmaskPlugin.cmake
        lib/cmake/unmask/UnmaskFingerprint.cmake lib/unmask/plugins)
  if(NOT EXISTS ${WORK}/moved/${file})
    message(FATAL_ERROR "the installation lacks ${file}")
  endif()
endforeach()

step("listing the installed plugins" ${program} plugins list)
if(NOT output MATCHES "Solvers")
  message(FATAL_ERROR "the installed program found no solvers:\n${output}")
endif()

step("configuring the project" ${CMAKE_COMMAND} -G ${GENERATOR} -S ${PROJECT} -B ${WORK}/build
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${COMPILER}
  "-DCMAKE_PREFIX_PATH=${WORK}/moved;${PREFIX_PATH}")
step("building the project" ${CMAKE_COMMAND} --build ${WORK}/build)

set(plugins ${WORK}/build/lib/unmask/plugins)
foreach(name solver_ralston model_tiny_ode attack_sign_steps dataset_stripes objective_margin
        probe_confidence)
  step("checking ${name}" ${program} plugins check ${plugins}/${name}.so)
endforeach()

step("listing with --plugin-dir" ${program} plugins list --plugin-dir ${plugins})
foreach(id ralston tiny_ode sign_steps stripes margin confidence)
  if(NOT output MATCHES "  ${id} ")
    message(FATAL_ERROR "unmask plugins list does not show ${id}:\n${output}")
  endif()
endforeach()

# An edit of a plugin's source must change its fingerprint, a mere rebuild must not.
step("showing a plugin" ${program} plugins show ralston --plugin-dir ${plugins})
string(REGEX MATCH "fingerprint +[0-9a-f]+" before "${output}")
step("rebuilding the project" ${CMAKE_COMMAND} --build ${WORK}/build --clean-first)
step("showing a plugin again" ${program} plugins show ralston --plugin-dir ${plugins})
string(REGEX MATCH "fingerprint +[0-9a-f]+" after "${output}")
if(before STREQUAL "" OR NOT before STREQUAL after)
  message(FATAL_ERROR "a rebuild changed the fingerprint: ${before} -> ${after}")
endif()

# Into the installation, where the program finds them without being told.
step("installing the plugins" ${CMAKE_COMMAND} --install ${WORK}/build --prefix ${WORK}/moved)
step("checking the installed plugin" ${program} plugins show ralston)
