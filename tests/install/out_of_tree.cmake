# Installs a build, moves the installation elsewhere, begins a plugin of each kind with `unmask plugins new`,
# builds and tries each with the one command that it names, and lets the installed program use them.
#   cmake -DBUILD=... -DWORK=... -DGENERATOR=... -DCOMPILER=... -P out_of_tree.cmake

function(step name)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${name} failed with ${code}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect name pattern)
  if(NOT output MATCHES "${pattern}")
    message(FATAL_ERROR "${name} does not say \"${pattern}\":\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

step("installing" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first)
# Nothing in an installation may know where it was put.
file(RENAME ${WORK}/first ${WORK}/moved)
set(program ${WORK}/moved/bin/unmask)

foreach(file bin/unmask include/unmask/plugin.hpp include/unmask/kit/model/ode_block.hpp
        include/unmask/testing/linear_target.hpp lib/cmake/unmask/unmaskConfig.cmake
        lib/cmake/unmask/unmaskTargets.cmake lib/cmake/unmask/UnmaskPlugin.cmake
        lib/cmake/unmask/UnmaskPluginTest.cmake lib/unmask/unmask-fingerprint
        lib/unmask/plugins share/unmask/experiments/quickstart.json share/doc/unmask/copyright
        share/doc/unmask/README.md share/doc/unmask/docs/plugin-author-guide.md)
  if(NOT EXISTS ${WORK}/moved/${file})
    message(FATAL_ERROR "the installation lacks ${file}")
  endif()
endforeach()
if(EXISTS ${WORK}/moved/lib/unmask/plugins/attack_segfault.so)
  message(FATAL_ERROR "the installation holds a plugin of the tests")
endif()

step("listing the installed plugins" ${program} plugins list)
expect("unmask plugins list" "Solvers")
step("checking an installed study" ${program} check ${WORK}/moved/share/unmask/experiments/quickstart.json)

# As an author does it, but with the generator, the compiler and the LibTorch of this build.
set(ENV{CMAKE_GENERATOR} "${GENERATOR}")
set(ENV{CXX} "${COMPILER}")
foreach(pair solver:ralston model:tiny_ode attack:sign_steps dataset:stripes objective:margin
        probe:certainty)
  string(REPLACE ":" ";" pair ${pair})
  list(POP_FRONT pair kind id)
  set(folder ${WORK}/${id})
  step("plugins new ${kind} ${id}" ${program} plugins new ${kind} ${id} --dir ${folder})
  step("building and trying ${id}" ${CMAKE_COMMAND} -E chdir ${folder} ${CMAKE_COMMAND} --workflow --preset default)
  expect("the workflow of ${id}" "100% tests passed")
  set(plugins ${folder}/build/lib/unmask/plugins)
  step("checking ${id}" ${program} plugins check ${plugins}/${kind}_${id}.so)
  expect("plugins check" "can be constructed")
  step("checking the study of ${id}" ${program} check ${folder}/study.json --plugin-dir ${plugins})
endforeach()

# The study of one of them runs, with both examples of it tried in words.
set(plugins ${WORK}/tiny_ode/build/lib/unmask/plugins)
step("testing tiny_ode" ${program} plugins test ${plugins}/model_tiny_ode.so)
expect("plugins test" "holds  has a gradient that agrees with finite differences")
expect("plugins test" "with the parameters \"narrow\"")
step("running the study of tiny_ode" ${program} run ${WORK}/tiny_ode/study.json --plugin-dir ${plugins}
  --db ${WORK}/results.sqlite --progress none)

# A mere rebuild must not change a fingerprint.
set(plugins ${WORK}/ralston/build/lib/unmask/plugins)
step("showing a plugin" ${program} plugins show ralston --plugin-dir ${plugins})
string(REGEX MATCH "fingerprint +[0-9a-f]+" before "${output}")
step("rebuilding" ${CMAKE_COMMAND} --build ${WORK}/ralston/build --clean-first)
step("showing a plugin again" ${program} plugins show ralston --plugin-dir ${plugins})
string(REGEX MATCH "fingerprint +[0-9a-f]+" after "${output}")
if(before STREQUAL "" OR NOT before STREQUAL after)
  message(FATAL_ERROR "a rebuild changed the fingerprint: ${before} -> ${after}")
endif()

# Into the installation, where the program finds them without being told.
step("installing a plugin" ${CMAKE_COMMAND} --install ${WORK}/ralston/build --prefix ${WORK}/moved)
step("showing the installed plugin" ${program} plugins show ralston)
step("testing the installed plugin" ${program} plugins test ${WORK}/moved/lib/unmask/plugins/solver_ralston.so)
expect("plugins test" "with the parameters \"heun\"")

# Who follows the guide has a plugin in two folders then: it is one plugin, and there.
set(ENV{UNMASK_PLUGIN_PATH} ${plugins})
step("listing a plugin that is in two folders" ${program} plugins list)
expect("unmask plugins list" "  ralston ")
if(output MATCHES "Refused|also offers|note:")
  message(FATAL_ERROR "the same plugin in two folders is worth a remark:\n${output}")
endif()
