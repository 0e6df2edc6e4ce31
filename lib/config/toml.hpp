#pragma once

// toml++ throws from parse() and nowhere else; config.cpp catches it there.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include <toml++/toml.h>
#pragma GCC diagnostic pop
