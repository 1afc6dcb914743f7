# Compares the code blocks of the guide with what `unmask plugins new` writes.
#   cmake -DGUIDE=... -DTEMPLATES=... -P guide_quotes.cmake

file(READ ${GUIDE} guide)

# FILE, with the words of the templates replaced, stands in the guide as a block of LANGUAGE.
function(expect_quote file language kind id class)
  file(READ ${file} text)
  string(REPLACE "new_plugin" "${id}" text "${text}")
  string(REPLACE "NewPlugin" "${class}" text "${text}")
  string(REPLACE "new_kind" "${kind}" text "${text}")
  string(FIND "${guide}" "```${language}\n${text}```\n" position)
  if(position EQUAL -1)
    message(SEND_ERROR "docs/plugin-author-guide.md does not quote ${file} (as ${kind} ${id}) as it is")
  endif()
endfunction()

expect_quote(${TEMPLATES}/common/CMakeLists.txt cmake attack sign_steps SignSteps)
expect_quote(${TEMPLATES}/attack/examples.json json attack sign_steps SignSteps)
expect_quote(${TEMPLATES}/solver/new_plugin.cpp cpp solver ralston Ralston)
expect_quote(${TEMPLATES}/model/new_plugin.cpp cpp model tiny_ode TinyOde)
expect_quote(${TEMPLATES}/attack/new_plugin.cpp cpp attack sign_steps SignSteps)
expect_quote(${TEMPLATES}/dataset/new_plugin.cpp cpp dataset stripes Stripes)
expect_quote(${TEMPLATES}/objective/new_plugin.cpp cpp objective margin Margin)
expect_quote(${TEMPLATES}/probe/new_plugin.cpp cpp probe certainty Certainty)

# And quotes nothing else.
string(REGEX MATCHALL "```cpp\n" blocks "${guide}")
list(LENGTH blocks found)
if(NOT found EQUAL 6)
  message(SEND_ERROR "docs/plugin-author-guide.md has ${found} C++ blocks, the templates are 6")
endif()
