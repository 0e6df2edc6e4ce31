#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/io/loop.hpp"
#include "natkit/io/process.hpp"

namespace natkit::io {

/// A program of ours that reads what a stranger sent: with nothing in its hands but its standard input, output and
/// error, which are memory; no rights, no environment, and bounded in all it could use up.
class LimitedRun {
  public:
    struct Limits {
        Duration time = std::chrono::seconds(30);     ///< on the clock; of CPU as much
        std::size_t memory = std::size_t{512} << 20;  ///< of address space, bytes; 0: unbounded (sanitizers)
        std::size_t output = std::size_t{16} << 20;   ///< of standard output, and of standard error
    };
    struct Outcome {
        Process::Exit exit;
        bool timed_out = false;
        std::string output;
        std::string errors;
    };
    using OnDone = std::function<void(Outcome)>;

    /// Starts `argv[0]` (a path); one that root starts runs as nobody. Destroyed before `on_done` is called, it is
    /// killed. `on_done` may destroy it.
    [[nodiscard]] static Result<std::unique_ptr<LimitedRun>> start(Loop& loop, const std::vector<std::string>& argv,
                                                                   std::string_view input, const Limits& limits,
                                                                   OnDone on_done);
    ~LimitedRun();
    LimitedRun(const LimitedRun&) = delete;
    LimitedRun& operator=(const LimitedRun&) = delete;

  private:
    LimitedRun(Loop& loop, OnDone on_done);
    void ended(Process::Exit exit);

    Fd output_;
    Fd errors_;
    bool timed_out_ = false;
    OnDone on_done_;
    Timer timer_;
    std::unique_ptr<Process> process_;
};

}  // namespace natkit::io
