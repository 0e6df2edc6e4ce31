#include "natkit/io/mark.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "natkit/io/process.hpp"

namespace natkit::io {

struct Mark::Page {
    std::array<char, 40> boot_id;
    std::atomic<std::int64_t> value;  ///< nanoseconds; 0: never set
};

namespace {

std::array<char, 40> this_boot() {
    std::array<char, 40> id{};
    boot_id().copy(id.data(), id.size() - 1);
    return id;
}

}  // namespace

Result<std::unique_ptr<Mark>> Mark::open(const std::string& path) {
    const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail_errno("open " + path, errno);
    // With its block: to write to a hole of a mapped file on a full disk is death (SIGBUS).
    if (const int error = ::posix_fallocate(file.get(), 0, sizeof(Page)); error != 0)
        return fail_errno("write " + path, error);
    void* memory = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return fail_errno("map " + path, errno);
    std::unique_ptr<Mark> mark(new Mark);
    mark->page_ = static_cast<Page*>(memory);
    const auto boot = this_boot();
    const std::int64_t value = mark->page_->value.load(std::memory_order_relaxed);
    if (mark->page_->boot_id == boot && value > 0) {
        mark->before_ = Instant(Duration(value));
    } else {
        mark->page_->boot_id = boot;
        mark->page_->value.store(0, std::memory_order_relaxed);
    }
    return mark;
}

std::unique_ptr<Mark> Mark::in_memory() {
    std::unique_ptr<Mark> mark(new Mark);
    void* memory = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) mark->page_ = static_cast<Page*>(memory);
    return mark;
}

Mark::~Mark() {
    if (page_ != nullptr) ::munmap(page_, sizeof(Page));
}

void Mark::set(Instant value) noexcept {
    if (page_ != nullptr) page_->value.store(value.time_since_epoch().count(), std::memory_order_relaxed);
}

}  // namespace natkit::io
