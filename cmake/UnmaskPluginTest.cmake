# unmask_test_plugin(<kind> <id>)
#
# A test of CTest that tries everything a plugin of its kind must keep (`unmask plugins test`), with the
# parameters of <id>.examples.json or examples.json in the plugin's folder, else with the defaults.

function(unmask_test_plugin kind id)
  if(NOT TARGET unmask_${kind}_${id})
    message(FATAL_ERROR "unmask_test_plugin: there is no ${kind} ${id}; call unmask_add_plugin(${kind} ${id} ...) first")
  endif()
  add_test(NAME ${kind}_${id} COMMAND ${UNMASK_EXECUTABLE} plugins test $<TARGET_FILE:unmask_${kind}_${id}>)
  set_tests_properties(${kind}_${id} PROPERTIES TIMEOUT 900)
endfunction()

# unmask_add_plugin() calls this: example parameters lie beside the library, as a link in a build folder, so
# that an edit counts at once and relative paths in them are relative to the plugin's own folder.
function(unmask_plugin_examples kind id)
  foreach(name ${id}.examples.json examples.json)
    set(examples ${CMAKE_CURRENT_SOURCE_DIR}/${name})
    if(EXISTS ${examples})
      set(folder ${PROJECT_BINARY_DIR}/lib/unmask/plugins)
      file(MAKE_DIRECTORY ${folder})
      file(CREATE_LINK ${examples} ${folder}/${kind}_${id}.examples.json SYMBOLIC)
      install(FILES ${examples} DESTINATION lib/unmask/plugins RENAME ${kind}_${id}.examples.json)
      return()
    endif()
  endforeach()
endfunction()
