cmake_minimum_required(VERSION 3.25)
# Writes OUTPUT with the SHA-256 over the contents of FILES (separated by |), in the given order.
string(REPLACE "|" ";" files "${FILES}")
set(digests "")
foreach(file IN LISTS files)
  file(SHA256 ${file} digest)
  string(APPEND digests "${digest}\n")
endforeach()
string(SHA256 fingerprint "${digests}")
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
  "#pragma once\n#define UNMASK_PLUGIN_FINGERPRINT \"@fingerprint@\"\n" @ONLY)
