# unmask_embed(<target> <header> NAMESPACE <namespace> [<constant> <file>]...)
#
# Makes the header <header>, in a folder that <target> includes from, with each text file as `inline constexpr const char*`,
# while building. As a script (cmake -P) it writes that header.
if(CMAKE_SCRIPT_MODE_FILE)
  set(content "#pragma once\n// Made while building.\nnamespace ${UNMASK_NAMESPACE} {\n")
  while(UNMASK_PARTS)
    list(POP_FRONT UNMASK_PARTS name file)
    file(READ "${file}" text)
    # The longest string literal that compilers must take is shorter than a page: neighbours are one.
    string(LENGTH "${text}" length)
    string(APPEND content "inline constexpr const char ${name}[] =")
    set(at 0)
    while(at LESS length)
      string(SUBSTRING "${text}" ${at} 8000 piece)
      string(APPEND content "\n    R\"unmask(${piece})unmask\"")
      math(EXPR at "${at} + 8000")
    endwhile()
    string(APPEND content ";\n")
  endwhile()
  file(WRITE "${UNMASK_HEADER}" "${content}}  // namespace ${UNMASK_NAMESPACE}\n")
  return()
endif()

set(UNMASK_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(unmask_embed target header)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "NAMESPACE" "")
  set(parts ${arg_UNPARSED_ARGUMENTS})
  set(files)
  set(absolute)
  while(parts)
    list(POP_FRONT parts name file)
    list(APPEND files ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    list(APPEND absolute ${name} ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endwhile()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  add_custom_command(OUTPUT ${folder}/${header}
    COMMAND ${CMAKE_COMMAND} "-DUNMASK_PARTS=${absolute}" -DUNMASK_NAMESPACE=${arg_NAMESPACE}
            -DUNMASK_HEADER=${folder}/${header} -P ${UNMASK_EMBED_SCRIPT}
    DEPENDS ${files} ${UNMASK_EMBED_SCRIPT} VERBATIM)
  target_sources(${target} PRIVATE ${folder}/${header})
  target_include_directories(${target} PRIVATE ${folder})
endfunction()
