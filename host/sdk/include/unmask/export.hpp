#pragma once
// Symbol visibility of the public library.

#define UNMASK_API __attribute__((visibility("default")))
