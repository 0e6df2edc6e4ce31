#pragma once

#include <chrono>
#include <functional>

#include "natkit/io/loop.hpp"

/// Runs the loop until `done`, at most 5 s.
inline bool run_until(natkit::io::Loop& loop, const std::function<bool()>& done) {
    bool late = false;
    natkit::io::Timer limit(loop, [&] { late = true; });
    limit.start_in(std::chrono::seconds(5));
    while (!done() && !late) loop.run_once();
    return done();
}
