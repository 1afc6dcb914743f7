# Compares the code blocks of the guide with the files of the project.
#   cmake -DGUIDE=... -DPROJECT=... -P guide_quotes.cmake

file(READ ${GUIDE} guide)
file(GLOB sources ${PROJECT}/*.cpp ${PROJECT}/CMakeLists.txt)
foreach(source IN LISTS sources)
  file(READ ${source} text)
  cmake_path(GET source FILENAME name)
  set(language cpp)
  if(name STREQUAL "CMakeLists.txt")
    set(language cmake)
  endif()
  string(FIND "${guide}" "```${language}\n${text}```\n" position)
  if(position EQUAL -1)
    message(SEND_ERROR "docs/plugin-author-guide.md does not quote tests/install/project/${name} as it is")
  endif()
endforeach()

# And quotes nothing else.
string(REGEX MATCHALL "```cpp\n" blocks "${guide}")
list(LENGTH blocks found)
list(LENGTH sources wanted)
math(EXPR wanted "${wanted} - 1")
if(NOT found EQUAL wanted)
  message(SEND_ERROR "docs/plugin-author-guide.md has ${found} C++ blocks, the project ${wanted} sources")
endif()
